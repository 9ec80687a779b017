//! One row in full: all who ran it, the best first.

use super::number::{or_dash, short};
use crate::building::Build;
use crate::figures::Cell;
use crate::run::Row;
use std::fmt::Write;

/// A column: its title, its metric, and whether the kernel samples it by its tick.
type Column = (&'static str, &'static str, bool);

const COLUMNS: &[Column] = &[
    ("requests a second", "rate", false),
    ("wall ns", "ns", false),
    ("CPU ns", "cpu_ns", false),
    ("user ns", "user_ns", true),
    ("system ns", "system_ns", true),
    ("p50, us", "p50_us", false),
    ("p99, us", "p99_us", false),
    ("p99.9, us", "p999_us", false),
    ("largest, us", "max_us", false),
    ("system calls", "calls", false),
    ("allocations", "allocations", false),
    ("bytes allocated", "bytes", false),
    ("resident, bytes", "resident_bytes", false),
];

pub fn table(row: &Row, builds: &[Build]) -> String {
    let main = row.measure.key();
    let mut cells: Vec<(&Build, &Cell)> =
        builds.iter().zip(&row.cells).filter_map(|(build, cell)| Some((build, cell.as_ref()?))).collect();
    let figure = |cell: &Cell| cell.spread(main).map_or(f64::INFINITY, |spread| spread.median);
    cells.sort_by(|a, b| figure(a.1).total_cmp(&figure(b.1)));
    let shown = |(_, key, ticked): &&Column| {
        let any = |cell: &Cell| if *ticked { cell.ticked(key) } else { cell.value(key) }.is_some();
        *key != main && cells.iter().any(|(_, cell)| any(cell))
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(shown).collect();
    let mut text = format!("| | {} | all rounds within |", row.measure.unit());
    columns.iter().for_each(|(title, ..)| text += &format!(" {title} |"));
    text += &format!("\n|---|---|---|{}\n", "---|".repeat(columns.len()));
    for (build, cell) in cells {
        let _ = writeln!(text, "{}", line(build, cell, main, &columns));
    }
    text
}

fn line(build: &Build, cell: &Cell, main: &str, columns: &[&Column]) -> String {
    if let Some(error) = &cell.failed {
        return format!(
            "| {} | **failed**: {} |{}",
            build.name,
            error.replace('|', "\\|"),
            " |".repeat(columns.len() + 1)
        );
    }
    let Some(spread) = cell.spread(main) else { return format!("| {} | – | |", build.name) };
    let within = format!("{} to {}", short(spread.least), short(spread.most));
    let mut text = format!("| {} | {} | {within} |", build.name, short(spread.median));
    for (_, key, ticked) in columns {
        text += &format!(" {} |", or_dash(if *ticked { cell.ticked(key) } else { cell.value(key) }));
    }
    text
}
