//! Rounds: for each workload, round after round, each program once, so that what the machine does meanwhile meets all of
//! them alike. Before that once each, with allocations and system calls counted, for which the time is not; it tells how
//! much of the work fits a round.

mod served;
mod timed;

use crate::building::{Build, Program};
use crate::figures::{Cell, Sample};
use crate::load::Histogram;
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Source;
use crate::progress::Progress;
use crate::watch::Page;
use crate::workloads::{Kind, Measure, Workload};
use std::path::PathBuf;

/// One row with all who ran it, by their place among the builds.
#[derive(Debug)]
pub struct Row {
    pub name: String,
    pub what: &'static str,
    pub measure: Measure,
    pub cells: Vec<Option<Cell>>,
}

/// Everything that was seen.
#[derive(Debug)]
pub struct Results {
    pub machine: Machine,
    pub rounds: usize,
    pub quick: bool,
    pub seconds: f64,
    pub rows: Vec<Row>,
    strict: bool,
    failures: Vec<String>,
}

impl Results {
    /// Whether all that was to run did.
    ///
    /// # Errors
    /// With `--strict`, what failed.
    pub fn check(&self) -> Result<(), String> {
        if self.strict && !self.failures.is_empty() { Err(self.failures.join("\n")) } else { Ok(()) }
    }
}

/// What a round is given.
pub struct Round<'a> {
    pub build: &'a Build,
    pub program: &'a Program,
    pub workload: &'a Workload,
    pub quick: bool,
    /// About how long an item takes, where there is one row of them and that is known.
    pub item_ns: Option<f64>,
    /// In a run that counts.
    pub page: Option<&'a Page>,
    pub file: &'a PathBuf,
}

type Ran = (Vec<(String, Sample)>, Option<Histogram>);

impl Round<'_> {
    /// Samples by row, and a server's latencies.
    fn run(&self) -> Result<Ran, String> {
        match &self.workload.kind {
            Kind::Timed { .. } => Ok((timed::run(self)?, None)),
            _ => {
                let (sample, latencies) = served::run(self)?;
                Ok((vec![(self.workload.name.clone(), sample)], latencies))
            }
        }
    }
}

/// Rounds of memory are all alike.
fn rounds(options: &Options, workload: &Workload) -> usize {
    match workload.kind {
        Kind::Idle { .. } => options.rounds().min(3),
        _ => options.rounds(),
    }
}

/// About how long a step takes, with the start of its program and the connecting.
fn guess_ms(workload: &Workload, quick: bool) -> u64 {
    match workload.kind {
        Kind::Timed { .. } => {
            if quick {
                60
            } else {
                200
            }
        }
        Kind::Idle { .. } => 900,
        Kind::Echo { connections: 1000, .. } => 200 + served::window_ms(&workload.kind, quick),
        _ => 60 + served::window_ms(&workload.kind, quick),
    }
}

/// Runs all workloads on all that can.
///
/// # Errors
/// When the file that is to be read cannot be written.
pub fn run(options: &Options, workloads: &[Workload], builds: &[Build]) -> Result<Results, String> {
    let machine = Machine::this();
    let begun = std::time::Instant::now();
    let file = timed::data_file().map_err(|error| format!("a file of 64 MiB: {error}"))?;
    let steps = workloads.iter().map(|workload| {
        let able = builds.iter().filter(|build| able(build, workload).is_some()).count();
        able * (rounds(options, workload) + 1)
    });
    let steps: usize = steps.sum();
    let guess: u64 = workloads
        .iter()
        .map(|workload| {
            let able = builds.iter().filter(|build| able(build, workload).is_some()).count();
            (able * (rounds(options, workload) + 1)) as u64 * guess_ms(workload, options.quick)
        })
        .sum();
    eprintln!("{steps} steps, about {} s on a machine that does nothing else", guess.div_ceil(1000));
    let mut progress = Progress::new(steps);
    let mut rows = Vec::new();
    let mut failures: Vec<String> = builds
        .iter()
        .filter_map(|build| Some(format!("{} does not build: {}", build.name, build.program.as_ref().err()?)))
        .collect();
    for workload in workloads {
        rows.extend(run_workload(options, workload, builds, &file, &mut progress, &mut failures));
    }
    progress.end();
    let seconds = begun.elapsed().as_secs_f64();
    let (rounds, quick, strict) = (options.rounds(), options.quick, options.strict);
    Ok(Results { machine, rounds, quick, seconds, rows, strict, failures })
}

fn able<'a>(build: &'a Build, workload: &Workload) -> Option<&'a Program> {
    let kv = matches!(build.peer.source, Source::Example(_) | Source::Installed(_));
    if kv != matches!(workload.kind, Kind::Kv { .. }) {
        return None;
    }
    build.program.as_ref().ok().filter(|program| program.can(workload.program))
}

fn run_workload(
    options: &Options,
    workload: &Workload,
    builds: &[Build],
    file: &PathBuf,
    progress: &mut Progress,
    failures: &mut Vec<String>,
) -> Vec<Row> {
    let empty = |(name, measure)| Row {
        name,
        what: workload.what,
        measure,
        cells: builds.iter().map(|build| able(build, workload).map(|_| Cell::default())).collect(),
    };
    let mut rows: Vec<Row> = workload.rows().into_iter().map(empty).collect();
    let page = Page::new();
    let rounds = rounds(options, workload);
    for number in 0..=rounds {
        for (place, build) in builds.iter().enumerate() {
            let Some(program) = able(build, workload) else { continue };
            let counting = number == 0;
            let what = if counting { "counting".to_owned() } else { format!("round {number} of {rounds}") };
            progress.step(&workload.name, &format!("{what}  {}", build.name));
            if rows.iter().any(|row| row.cells[place].as_ref().is_some_and(|cell| cell.failed.is_some())) {
                continue;
            }
            let page = counting.then_some(&page);
            let item_ns = match &*rows {
                [row] => row.cells[place].as_ref().and_then(|cell| cell.counted.get("ns").copied()),
                _ => None,
            };
            let round = Round { build, program, workload, quick: options.quick, item_ns, page, file };
            match round.run() {
                Ok((samples, latencies)) => {
                    keep(&mut rows, place, samples, counting);
                    if let (Some(latencies), false, [row]) = (latencies, counting, &mut *rows) {
                        let cell = row.cells[place].as_mut().expect("it can");
                        cell.latencies.get_or_insert_with(Histogram::new).add(&latencies);
                    }
                }
                Err(error) => {
                    failures.push(format!("{} on {}: {error}", workload.name, build.name));
                    eprintln!("\n{} on {}: {error}", workload.name, build.name);
                    for row in &mut rows {
                        row.cells[place].as_mut().expect("it can").failed = Some(error.clone());
                    }
                }
            }
        }
    }
    rows
}

fn keep(rows: &mut [Row], place: usize, samples: Vec<(String, Sample)>, counting: bool) {
    for (name, sample) in samples {
        let Some(row) = rows.iter_mut().find(|row| row.name == name) else { continue };
        let cell = row.cells[place].as_mut().expect("it can");
        if counting { cell.counted = sample } else { cell.samples.push(sample) }
    }
}
