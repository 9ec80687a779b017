//! The command line.

use crate::workloads::{self, Workload};
use std::path::PathBuf;

pub const USAGE: &str = "\
Compares unboxed with other runtimes and with bare loops.

usage: cargo run --release -p unboxed-peers -- COMMAND

  list                    workloads and peers
  run [NAME ...]          builds and runs all workloads, or those whose name begins with a NAME
    --peers A,B           only these peers
    --rounds N            rounds of each (default 10; 3 with --quick)
    --quick               fewer rounds of shorter work, for a first look; the figures are not for quoting
    --against REV         also builds unboxed as it is at a git revision
    --out DIR             where the report goes (default benches/report; target/peers/report when only a part is run)
    --strict              fails if any program does not build or run
  help                    this";

/// What is to be done.
#[derive(Debug)]
pub enum Command {
    Help,
    List,
    Run(Options),
}

/// How to run.
#[derive(Debug, Default)]
pub struct Options {
    pub names: Vec<String>,
    pub peers: Option<Vec<String>>,
    pub rounds: Option<usize>,
    pub quick: bool,
    pub against: Option<String>,
    pub strict: bool,
    pub out: PathBuf,
}

impl Options {
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { 10 })
    }

    /// Whether everything runs, as a report that is quoted needs.
    fn is_full(&self) -> bool {
        self.names.is_empty() && self.peers.is_none() && !self.quick && self.rounds() >= 10
    }

    pub fn takes_peer(&self, name: &str) -> bool {
        match &self.peers {
            Some(peers) => peers.iter().any(|peer| peer == name),
            None => true,
        }
    }

    pub fn workloads(&self) -> Result<Vec<Workload>, String> {
        for name in &self.names {
            if !workloads::all().iter().any(|workload| workload.name.starts_with(name)) {
                return Err(format!("no workload begins with {name}; `list` shows all"));
            }
        }
        let asked = |name: &str| self.names.is_empty() || self.names.iter().any(|n| name.starts_with(n));
        Ok(workloads::all().into_iter().filter(|workload| asked(&workload.name)).collect())
    }
}

/// Reads the arguments.
///
/// # Errors
/// What was wrong with them.
pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Command, String> {
    match words.next().as_deref() {
        Some("list") => Ok(Command::List),
        Some("run") => parse_run(words).map(Command::Run),
        Some("help" | "--help" | "-h") => Ok(Command::Help),
        Some(other) => Err(format!("unknown command {other}\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    }
}

fn parse_run(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut out = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--quick" => options.quick = true,
            "--strict" => options.strict = true,
            "--peers" => options.peers = Some(value()?.split(',').map(str::to_owned).collect()),
            "--rounds" => {
                options.rounds = Some(value()?.parse().map_err(|error| format!("--rounds: {error}"))?);
            }
            "--against" => options.against = Some(value()?),
            "--out" => out = Some(PathBuf::from(value()?)),
            name if name.starts_with('-') => return Err(format!("unknown option {name}\n\n{USAGE}")),
            _ => options.names.push(word),
        }
    }
    if options.rounds() == 0 {
        return Err("--rounds: at least one".to_owned());
    }
    let default = if options.is_full() { "benches/report" } else { "target/peers/report" };
    options.out = out.unwrap_or_else(|| PathBuf::from(default));
    Ok(options)
}
