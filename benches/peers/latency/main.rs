//! How late a control loop of 1 kHz is: the example `latency`, a C program after cyclictest, and tokio's interval, in
//! interleaved rounds, each in a process of its own: `cargo bench --bench latency [-- SECONDS [ROUNDS]]`.
//!
//! All do the same beside the loop: two tasks or threads compute for a share of each 10 ms, four connections talk. The
//! runtimes do it on the loop's own thread, the C program on threads of its own.

mod theirs;

use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::time::Duration;
use unboxed_benches::median;

/// Name, whether it is for a run with load, and the program with its arguments, before seconds and percent.
const PROGRAMS: [(&str, &[&str]); 10] = [
    ("unboxed, sleep", &["latency", "--policy", "sleep"]),
    ("C, sleep", &["cyclic", "sleep", "0"]),
    ("unboxed, spin-for 50 us", &["latency", "--policy", "spin-for"]),
    ("unboxed, spin", &["latency", "--policy", "spin"]),
    ("C, spin", &["cyclic", "spin", "0"]),
    ("tokio, current thread", &["tokio", "1"]),
    ("tokio, two workers", &["tokio", "2"]),
    ("unboxed, sleep, real time", &["latency", "--policy", "sleep", "--realtime", "50"]),
    ("C, sleep, real time", &["cyclic", "sleep", "50"]),
    ("unboxed, spin-for, real time", &["latency", "--policy", "spin-for", "--realtime", "50"]),
];

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    exit(1)
}

/// Runs a command that must succeed, and answers what it printed.
fn output(command: &mut Command) -> String {
    match command.output() {
        Ok(done) if done.status.success() => String::from_utf8_lossy(&done.stdout).into_owned(),
        Ok(done) => fail(&format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr))),
        Err(error) => fail(&format!("{command:?}: {error}")),
    }
}

/// Builds the example and the C program; where they are.
fn build() -> (PathBuf, PathBuf) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    output(
        Command::new("cargo")
            .args(["build", "--locked", "--release", "-p", "unboxed-examples", "--example", "latency"])
            .current_dir(&root),
    );
    let cyclic = target.join("cyclic");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("latency/cyclic.c");
    output(Command::new(compiler).args(["-O2", "-pthread", "-o"]).arg(&cyclic).arg(source));
    (target.join("release/examples/latency"), cyclic)
}

/// Lateness in nanoseconds at 50, 99 and 99.9 percent and at most, and processor time.
fn measure(mut command: Command) -> [f64; 5] {
    let before = processor_time();
    let text = output(&mut command);
    let cpu = processor_time() - before;
    let numbers: Vec<f64> = match text.split_once("lateness in ns: ") {
        // "N values, p50 A, p90 B, p99 C, p99.9 D, most E"
        Some((_, line)) => {
            let line = line.lines().next().unwrap_or_default();
            let of = |name: &str| {
                let (_, rest) = line.split_once(name)?;
                rest.split(',').next()?.trim().parse().ok()
            };
            [" p50 ", " p99 ", " p99.9 ", " most "].iter().filter_map(|name| of(name)).collect()
        }
        None => text.split_whitespace().filter_map(|word| word.parse().ok()).collect(),
    };
    match numbers[..] {
        [p50, p99, p999, most] => [p50, p99, p999, most, cpu.as_nanos() as f64],
        _ => fail(&format!("{command:?} printed {text:?}")),
    }
}

/// Of the children that have ended.
fn processor_time() -> Duration {
    // SAFETY: plain numbers; the kernel writes the local.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let first = words.next();
    if first.as_deref() == Some("tokio") {
        let numbers: Vec<f64> = words.filter_map(|word| word.parse().ok()).collect();
        let [workers, seconds, percent] = numbers[..] else { fail("tokio WORKERS SECONDS PERCENT") };
        return theirs::run(workers as usize, seconds, percent as u32);
    }
    let seconds = first.unwrap_or_else(|| "3".into());
    let rounds: usize = words.next().and_then(|word| word.parse().ok()).unwrap_or(7);
    let (latency, cyclic) = build();
    let this = std::env::current_exe().unwrap_or_else(|error| fail(&format!("this program: {error}")));
    for percent in ["0", "30"] {
        let mut rows: [[Vec<f64>; 5]; PROGRAMS.len()] = Default::default();
        for _ in 0..rounds {
            for (row, (_, words)) in rows.iter_mut().zip(PROGRAMS) {
                let mut command = match words[0] {
                    "latency" => Command::new(&latency),
                    "cyclic" => Command::new(&cyclic),
                    _ => Command::new(&this),
                };
                match words[0] {
                    "latency" => command.args(&words[1..]).args(["--seconds", &seconds, "--load", percent]),
                    "cyclic" => command.args(&words[1..]).args([&seconds, percent]),
                    _ => command.args(words).args([&seconds, percent]),
                };
                for (column, value) in row.iter_mut().zip(measure(command)) {
                    column.push(value);
                }
            }
        }
        println!("\nload {percent} %: medians of {rounds} rounds of {seconds} s, in us; processor time in %");
        println!("| program | p50 | p99 | p99.9 | most | processor |\n|---|---|---|---|---|---|");
        let seconds: f64 = seconds.parse().unwrap_or(1.0);
        for (row, (name, _)) in rows.iter_mut().zip(PROGRAMS) {
            let [p50, p99, p999, most, cpu] = row.each_mut().map(|column| median(column) / 1e3);
            let cpu = cpu / seconds / 1e4;
            println!("| {name} | {p50:.1} | {p99:.1} | {p999:.1} | {most:.0} | {cpu:.0} |");
        }
    }
}
