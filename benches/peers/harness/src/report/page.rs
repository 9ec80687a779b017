//! The page.

use super::detail;
use super::number::{or_dash, short};
use super::reasons::reason;
use super::verdict::{Summary, Verdict};
use super::{GROUPS, Group};
use crate::building::Build;
use crate::figures::Cell;
use crate::run::{Results, Row};
use std::fmt::Write;

/// What is between these lines is the project's README's too; `.ci/readme-table` compares them.
const BEGIN: &str = "<!-- figures: begin -->";
const END: &str = "<!-- figures: end -->";

pub fn page(builds: &[Build], results: &Results) -> String {
    let mut page = String::from(
        "# How unboxed compares\n\nWritten by `cargo run --release -p unboxed-peers -- run`; what is measured and how \
         is in [benches/peers](../peers/README.md).\n",
    );
    if results.quick || results.rounds < 10 {
        page += "\n**A first look with short rounds, not for quoting.**\n";
    }
    page += &facts(results);
    page += &peers(builds);
    page += &format!("\n## In short\n\n{BEGIN}\n\n{}\n{END}\n", in_short(builds, results));
    if let Some(build) = builds.iter().find(|build| build.name.contains('@')) {
        page += &before(build, builds, results);
    }
    page += &load(builds, results);
    for group in GROUPS {
        page += &section(group, builds, results);
    }
    page
}

fn facts(results: &Results) -> String {
    let mut text = String::from("\n| | |\n|---|---|\n");
    for (name, value) in &results.machine.facts {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    let _ = writeln!(text, "| rounds | {}, interleaved |", results.rounds);
    let _ = writeln!(text, "| measuring took | {:.0} s |", results.seconds);
    text
}

fn peers(builds: &[Build]) -> String {
    let mut text =
        String::from("\n## Who\n\n| | version | what | stripped program, bytes |\n|---|---|---|---|\n");
    for build in builds {
        let size = match &build.program {
            Ok(program) => program.bytes.to_string(),
            Err(error) => format!("**does not build**: {}", error.replace('|', "\\|")),
        };
        let _ = writeln!(text, "| {} | {} | {} | {size} |", build.name, build.version, build.peer.what);
    }
    text
}

/// Every row in one line: ours, the best of the others, and the bare loop.
fn in_short(builds: &[Build], results: &Results) -> String {
    let mut text = String::from(
        "| | | unboxed | best other runtime | tokio | bare loop | times as good as the best other | |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in &results.rows {
        let Some(summary) = Summary::of(row, builds) else { continue };
        let best = named(summary.best);
        let verdict = match summary.verdict() {
            Some(Verdict::Won) => String::new(),
            Some(Verdict::Even) => format!("even: {}", reason(&row.name)),
            Some(Verdict::Lost) => format!("**lost**: {}", reason(&row.name)),
            None => "no other has it".to_owned(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {best} | {} | {} | {} | {verdict} |",
            row.name,
            row.measure.unit(),
            short(summary.ours),
            or_dash(summary.tokio),
            named(summary.bare),
            or_dash(summary.ahead),
        );
    }
    text
}

fn named(figure: Option<(&str, f64)>) -> String {
    figure.map_or_else(|| "–".to_owned(), |(name, value)| format!("{} {name}", short(value)))
}

/// Ours against ours of another time.
fn before(then: &Build, builds: &[Build], results: &Results) -> String {
    let title = then.name.split('@').nth(1).unwrap_or_default();
    let mut text = format!(
        "\n## Against {title}\n\n| | | now | then | times as good as then |\n|---|---|---|---|---|\n"
    );
    for row in &results.rows {
        let summary = Summary::of(row, builds);
        if let Some((ours, then)) = summary.and_then(|summary| Some((summary.ours, summary.before?))) {
            let (unit, times) = (row.measure.unit(), then / ours);
            let _ =
                writeln!(text, "| {} | {unit} | {} | {} | {times:.2} |", row.name, short(ours), short(then));
        }
    }
    text
}

/// How far the load generator is from being what is measured.
fn load(builds: &[Build], results: &Results) -> String {
    let mut text = String::from(LOAD);
    for row in &results.rows {
        let spins = row.name.starts_with("echo-1x") || row.name.starts_with("echo-open");
        let figures = builds.iter().zip(&row.cells).filter_map(|(build, cell)| Some((build, cell.as_ref()?)));
        let figure = |cell: &Cell, key| cell.spread(key).map_or(0.0, |spread| spread.median);
        let fastest = figures.max_by(|a, b| figure(a.1, "rate").total_cmp(&figure(b.1, "rate")));
        let Some((build, cell)) = fastest.filter(|(_, cell)| !spins && figure(cell, "rate") > 0.0) else {
            continue;
        };
        let [rate, ours, its] = ["rate", "load_share", "server_share"].map(|key| figure(cell, key));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.0} % | {:.0} % | {} | {} | {} | {:.2}{} |",
            row.name,
            build.name,
            short(rate),
            its * 100.0,
            ours * 100.0,
            short(its / rate * 1e9),
            short(ours / rate * 1e9),
            short(rate / ours),
            1.0 / ours,
            if ours * 1.5 > 1.0 { " **below 1.5**" } else { "" }
        );
    }
    text
}

const LOAD: &str = "
## Is the load generator fast enough?

Its ceiling is its rate divided by the share of its processor that it used. Half as fast again as the fastest server would be
proof that it holds nobody back. A server that only echoes leaves no room for that: on the loopback interface a send carries
the bytes through both ends of TCP into the other side's socket, which is most of what either side does for a request (a
profile of the generator with 64 connections: 78 % sending, of which 55 % is the delivery to the server; 13 % receiving). So
either side needs about as long for a request as the other, and where a row is marked both processors are busy: the
processor time a request stands, the rate is that of the pair. The generator spares itself what it can: it has no tasks,
its descriptors are registered, and the kernel drops the answers' bytes instead of copying them. With few connections and at
fixed rates it spins, and its share says nothing.

| | fastest | its rate | its processor busy | the generator's busy | its CPU ns a request | the generator's | the generator's ceiling | times the rate |
|---|---|---|---|---|---|---|---|---|
";

fn section(group: &Group, builds: &[Build], results: &Results) -> String {
    let rows: Vec<&Row> = results.rows.iter().filter(|row| group.has(&row.name)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("\n## {0}\n\n![{0}]({1}.svg)\n", group.title, group.file);
    for row in rows {
        let _ = writeln!(text, "\n### {}\n\n{}; {}.\n", row.name, upper(row.what), row.measure.unit());
        text += &detail::table(row, builds);
    }
    text
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
