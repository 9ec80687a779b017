//! What a run leaves behind: a page with tables, a chart for each group of rows, and all samples.

mod charts;
mod detail;
mod json;
mod number;
mod page;
mod reasons;
mod verdict;

use crate::building::Build;
use crate::options::Options;
use crate::run::Results;
use std::fs;
use std::path::Path;

/// A name for rows that belong together.
struct Group {
    title: &'static str,
    file: &'static str,
    /// What the names of its rows begin with.
    names: &'static [&'static str],
}

const GROUPS: &[Group] = &[
    Group {
        title: "Tasks",
        file: "tasks",
        names: &["spawn-join", "batch", "chain", "yield", "ping-pong", "channel", "mutex", "wake-threads"],
    },
    Group { title: "Timers", file: "timers", names: &["timer-"] },
    Group { title: "Operations", file: "operations", names: &["nop-", "file-reads"] },
    Group { title: "TCP echo", file: "echo", names: &["echo-1", "echo-6"] },
    Group { title: "TCP echo at a fixed rate", file: "open", names: &["echo-open"] },
    Group { title: "Connections", file: "connections", names: &["churn", "idle"] },
    Group { title: "A service: kv against redis-server", file: "kv", names: &["kv-"] },
];

impl Group {
    fn has(&self, row: &str) -> bool {
        self.names.iter().any(|name| row.starts_with(name))
    }
}

/// Writes the report into its folder.
///
/// # Errors
/// When a file cannot be written.
pub fn write(options: &Options, builds: &[Build], results: &Results) -> Result<(), String> {
    let out = &options.out;
    let put = |name: &str, text: String| put(&out.join(name), &text);
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    for group in GROUPS {
        let rows: Vec<_> = results.rows.iter().filter(|row| group.has(&row.name)).collect();
        if !rows.is_empty() {
            put(&format!("{}.svg", group.file), charts::chart(group.title, &rows, builds))?;
        }
    }
    put("raw.json", json::all(builds, results))?;
    put("README.md", page::page(builds, results))
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
