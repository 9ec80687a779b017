//! Where and when it was measured.

use std::fs;
use std::process::Command;

/// The facts that each result carries.
#[derive(Debug, Clone)]
pub struct Machine {
    pub facts: Vec<(&'static str, String)>,
}

impl Machine {
    pub fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let said = |program: &str, arguments: &[&str]| {
            let done = Command::new(program).args(arguments).output();
            done.map_or_else(
                |_| "unknown".to_owned(),
                |done| String::from_utf8_lossy(&done.stdout).trim().to_owned(),
            )
        };
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo
            .lines()
            .find(|line| line.starts_with("model name"))
            .and_then(|line| line.split(": ").nth(1));
        Self {
            facts: vec![
                ("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
                ("kernel", read("/proc/sys/kernel/osrelease")),
                ("processor", model.unwrap_or("unknown").to_owned()),
                ("processors", crate::watch::processors().to_string()),
                ("compiler", said("rustc", &["--version"])),
                ("C compiler", said("cc", &["--version"]).lines().next().unwrap_or("unknown").to_owned()),
                ("load average at the start", read("/proc/loadavg")),
            ],
        }
    }
}
