//! What the examples share: their command lines.

pub mod page;

use std::fmt::Display;
use std::process::exit;
use std::str::FromStr;

/// The arguments of a program: `--name value` and `--flag`.
#[derive(Debug)]
pub struct Args {
    usage: &'static str,
    words: Vec<String>,
}

impl Args {
    /// The process's arguments. `--help` prints `usage` and ends the process.
    pub fn parse(usage: &'static str) -> Self {
        let mut args = Self { usage, words: std::env::args().skip(1).collect() };
        if args.flag("--help") || args.flag("-h") {
            println!("{usage}");
            exit(0);
        }
        args
    }

    /// Whether a flag was given.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() != before
    }

    /// The value of `name`, or a default. A value that cannot be read ends the process with a message.
    pub fn value<T: FromStr>(&mut self, name: &str, default: T) -> T
    where
        T::Err: Display,
    {
        let Some(at) = self.words.iter().position(|word| word == name) else { return default };
        if at + 1 >= self.words.len() {
            self.fail(&format!("{name} needs a value"));
        }
        self.words.remove(at);
        let word = self.words.remove(at);
        match word.parse() {
            Ok(value) => value,
            Err(error) => self.fail(&format!("{name} {word}: {error}")),
        }
    }

    /// `--threads N`: how many worker threads, one by default; zero is one for each processor.
    pub fn threads(&mut self, most: usize) -> usize {
        let threads = self.value("--threads", 1);
        if threads > most {
            self.fail(&format!("--threads {threads}: at most {most} are possible"));
        }
        threads
    }

    /// The first word that is left, once all options are read.
    pub fn word(&mut self, name: &str) -> String {
        if self.words.first().is_none_or(|word| word.starts_with('-')) {
            self.fail(&format!("{name} is missing"));
        }
        self.words.remove(0)
    }

    /// Everything must have been used.
    pub fn finish(self) {
        if let Some(word) = self.words.first() {
            self.fail(&format!("unknown argument {word}"));
        }
    }

    /// Ends the process with a message and the usage.
    pub fn fail(&self, message: &str) -> ! {
        eprintln!("{message}\n\n{}", self.usage);
        exit(2)
    }
}
