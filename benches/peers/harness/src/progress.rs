//! What is being done, on the standard error: one line that changes on a terminal, a line a step elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// Steps done of all.
#[derive(Debug)]
pub struct Progress {
    begun: Instant,
    done: usize,
    all: usize,
    terminal: bool,
    heading: String,
}

impl Progress {
    pub fn new(all: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { begun: Instant::now(), done: 0, all, terminal, heading: String::new() }
    }

    /// Begins a step of `heading`.
    pub fn step(&mut self, heading: &str, detail: &str) {
        let share = self.done as f64 / self.all.max(1) as f64;
        let seconds = self.begun.elapsed().as_secs_f64();
        let left =
            if share > 0.02 { format!("{:.0} s left", seconds / share - seconds) } else { String::new() };
        if self.terminal {
            eprint!("\r\x1b[K[{:3.0} %] {heading}  {detail}  {left}", share * 100.0);
            let _ = std::io::stderr().flush();
        } else if heading != self.heading {
            heading.clone_into(&mut self.heading);
            eprintln!("[{:3.0} %] {seconds:4.0} s  {heading}  {left}", share * 100.0);
        }
        self.done += 1;
    }

    pub fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
        eprintln!("[100 %] {:4.0} s", self.begun.elapsed().as_secs_f64());
    }
}
