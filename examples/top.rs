//! A view of a running `kv --stats FILE`: what its workers do, a line each.
//!
//! The numbers come through shared memory: kv never waits for a reader, and allocates nothing for one.

use std::io::Write;
use std::time::Duration;
use unboxed_examples::Args;
use unboxed_examples::page::Page;

const USAGE: &str = "\
Shows what the workers of a running `kv --stats FILE` do.

usage: top FILE [--once] [--every MILLISECONDS]

  FILE         what kv was given
  --once       prints the totals since kv's start, and ends
  --every MS   the time between two views, in which is counted (default 1000)
  --help       prints this";

/// A column: its head, its number's name, and whether it is told per second.
const COLUMNS: [(&str, &str, bool); 11] = [
    ("polls", "polls", true),
    ("submitted", "submitted", true),
    ("in flight", "in_flight", false),
    ("orphaned", "orphaned", true),
    ("stolen", "stolen", true),
    ("spilled", "spilled", true),
    ("sleeps", "sleeps", true),
    ("doorbells", "doorbells", true),
    ("spared", "doorbells_spared", true),
    ("calls", "calls", true),
    ("spares", "spares_taken", true),
];

/// One text of kv's.
struct View {
    head: Vec<(String, u64)>,
    workers: Vec<Vec<(String, u64)>>,
}

fn number(of: &[(String, u64)], name: &str) -> u64 {
    of.iter().find(|(key, _)| key == name).map_or(0, |(_, value)| *value)
}

impl View {
    fn parse(text: &str) -> Self {
        let mut view = Self { head: Vec::new(), workers: Vec::new() };
        for line in text.lines() {
            let Some((name, value)) = line.split_once(' ') else { continue };
            let Ok(value) = value.parse() else { continue };
            let name = name.to_owned();
            if name == "worker" {
                view.workers.push(Vec::new());
            }
            view.workers.last_mut().unwrap_or(&mut view.head).push((name, value));
        }
        view
    }

    /// Against an earlier view the numbers are per second, else totals.
    fn print(&self, before: Option<&Self>, out: &mut String) {
        let uptime = number(&self.head, "uptime_ms");
        let (pid, clients) = (number(&self.head, "pid"), number(&self.head, "clients"));
        let span = uptime.saturating_sub(before.map_or(0, |view| number(&view.head, "uptime_ms")));
        let what = if before.is_some() { "per second" } else { "since the start" };
        *out +=
            &format!("kv {pid}, up {}.{:03} s, {clients} clients; {what}\n\n", uptime / 1000, uptime % 1000);
        *out += "worker";
        for (head, ..) in COLUMNS {
            *out += &format!(" {head:>10}");
        }
        *out += "\n";
        for (index, worker) in self.workers.iter().enumerate() {
            *out += &format!("{:>6}", number(worker, "worker"));
            let earlier = before.and_then(|view| view.workers.get(index));
            for (_, name, rate) in COLUMNS {
                let now = number(worker, name);
                let shown = match earlier {
                    Some(earlier) if rate => now.saturating_sub(number(earlier, name)) * 1000 / span.max(1),
                    _ => now,
                };
                *out += &format!(" {shown:>10}");
            }
            *out += "\n";
        }
        for worker in self.workers.iter().filter(|worker| number(worker, "poll_ns.count") > 0) {
            *out += &format!("\nworker {}, in ns:", number(worker, "worker"));
            for (name, what) in [("poll_ns", "a poll"), ("wait_ns", "ready before a poll")] {
                let [p50, p99, max] =
                    ["p50", "p99", "max"].map(|point| number(worker, &format!("{name}.{point}")));
                *out += &format!("  {what}: p50 {p50}, p99 {p99}, most {max}");
            }
        }
    }
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(1)
}

fn main() {
    let mut args = Args::parse(USAGE);
    let (once, every) = (args.flag("--once"), args.value("--every", 1000));
    let path = args.word("FILE");
    args.finish();
    let page = Page::open(&path).unwrap_or_else(|error| fail(&format!("{path}: {error}")));
    let read = || match page.read() {
        Some(text) => View::parse(&text),
        None => fail(&format!("{path}: nothing is written there; has kv ended?")),
    };
    let mut before = None;
    loop {
        let view = read();
        let mut out = String::new();
        if !once {
            // Home, and each line's rest is cleared.
            out += "\x1b[H\x1b[J";
        }
        view.print(before.as_ref(), &mut out);
        // A reader that goes away ends the program.
        if writeln!(std::io::stdout(), "{out}").is_err() || once {
            return;
        }
        let pid = number(&view.head, "pid");
        before = Some(view);
        std::thread::sleep(Duration::from_millis(every));
        if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
            fail("kv has ended");
        }
    }
}
