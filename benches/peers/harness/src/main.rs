//! Builds and runs the same work on unboxed and on every peer, in interleaved rounds, and writes a report.
//!
//! | room | what lives there |
//! |---|---|
//! | `options` | the command line |
//! | `peers`, `workloads` | who is compared, and in what: the two tables |
//! | `building` | programs from sources, each for itself, so that one which fails takes no other with it |
//! | `program` | a peer's process, bound to its processor |
//! | `run` | rounds: one program at a time, A B A B |
//! | `load` | the load generator, on a bare ring |
//! | `report` | Markdown, charts, JSON |

mod building;
mod figures;
mod load;
mod machine;
mod options;
mod peers;
mod program;
mod progress;
mod report;
mod run;
#[path = "../../programs/support/src/system_calls.rs"]
mod system_calls;
mod watch;
mod workloads;

use options::{Command, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match options::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", options::USAGE);
            Ok(())
        }
        Ok(Command::List) => {
            list();
            Ok(())
        }
        Ok(Command::Run(options)) => run_all(&options),
        Err(message) => Err(message),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn list() {
    println!("workloads:");
    workloads::all().iter().for_each(|workload| println!("  {:18} {}", workload.name, workload.what));
    println!("peers:");
    peers::ALL.iter().for_each(|peer| println!("  {:18} {}", peer.name, peer.what));
}

fn run_all(options: &Options) -> Result<(), String> {
    let workloads = options.workloads()?;
    let builds = building::build(options, &workloads)?;
    let results = run::run(options, &workloads, &builds)?;
    report::write(options, &builds, &results)?;
    let path = options.out.join("README.md");
    println!("{}", path.display());
    results.check()
}
