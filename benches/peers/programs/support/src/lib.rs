//! What the peers' programs share: the command line, what is measured, and the two halves of a wake across threads.
//! No workload lies here: each program does the work in its runtime's own words.

mod heap;
mod measure;
mod places;
mod sleepers;
mod system_calls;
mod wakes;

pub use measure::{Measured, Round, measure, rounds};
pub use places::Places;
pub use sleepers::{Sleeper, Sleepers};
pub use wakes::{Partner, Signal};

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::exit;

/// What a workload was asked to do.
#[derive(Debug, Clone)]
pub struct Work {
    pub name: String,
    values: HashMap<String, String>,
}

impl Work {
    /// How many of it.
    pub fn items(&self) -> u64 {
        self.number("items")
    }

    pub fn number(&self, key: &str) -> u64 {
        let value = self.text(key);
        value.parse().unwrap_or_else(|_| fail(&format!("{key}={value} is no number")))
    }

    pub fn text(&self, key: &str) -> &str {
        match self.values.get(key) {
            Some(value) => value,
            None => fail(&format!("{} needs {key}=...", self.name)),
        }
    }
}

/// A workload by its name.
pub type Entry = (&'static str, fn(&Work));

/// The `main` of a peer's program: `list`, or `NAME key=value ...`.
pub fn run(entries: &[Entry]) {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_else(|| fail("usage: list | NAME key=value ..."));
    if name == "list" {
        entries.iter().for_each(|(name, _)| println!("{name}"));
        return;
    }
    let pair = |word: String| match word.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => fail(&format!("{word}: key=value is expected")),
    };
    let work = Work { values: words.map(pair).collect(), name };
    let Some((_, entry)) = entries.iter().find(|(name, _)| *name == work.name) else {
        fail(&format!("no workload {}", work.name))
    };
    heap::begin();
    measure::count_calls();
    entry(&work);
}

/// A server listens there; the harness waits for this line.
pub fn ready(address: SocketAddr) {
    println!("ready {}", address.port());
}

/// Ends the process with a message.
pub fn fail(message: &str) -> ! {
    eprintln!("{message}");
    exit(2)
}
