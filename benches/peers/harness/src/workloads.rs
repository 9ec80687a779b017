//! What is compared.

/// What a row's figure is. Of all, less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Nanoseconds an item, where others than this process take part in them.
    Time,
    /// Processor nanoseconds an item, of all threads of the program.
    Cpu,
    /// The 99th percentile of the latency in microseconds.
    Latency,
    /// Resident bytes an item.
    Memory,
}

impl Measure {
    /// The metric's key in a sample.
    pub fn key(self) -> &'static str {
        match self {
            Self::Time => "ns",
            Self::Cpu => "cpu_ns",
            Self::Latency => "p99_us",
            Self::Memory => "resident_bytes",
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Self::Time => "ns",
            Self::Cpu => "CPU ns",
            Self::Latency => "us, 99th percentile",
            Self::Memory => "bytes",
        }
    }
}

/// How a workload is run.
#[derive(Debug, Clone)]
pub enum Kind {
    /// The program measures itself; a line for each row.
    Timed { items: u64, quick: u64, rows: &'static [(&'static str, Measure)], processors: usize },
    /// A server, and the load generator.
    Echo { connections: usize, bytes: usize, load: Load },
    /// Connections that send once and end.
    Churn { connections: usize },
    /// Connections that sent once and do nothing.
    Idle { connections: usize },
    /// Requests of Redis's protocol.
    Kv { request: &'static str, pipeline: usize },
}

/// Who decides when the next request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// The answer to the one before.
    Closed,
    /// The clock: so many a second, whatever became of those before.
    Open(u64),
}

/// One kind of work.
#[derive(Debug, Clone)]
pub struct Workload {
    pub name: String,
    pub what: &'static str,
    /// What the program calls it.
    pub program: &'static str,
    pub kind: Kind,
}

impl Workload {
    /// The rows that it brings.
    pub fn rows(&self) -> Vec<(String, Measure)> {
        match &self.kind {
            Kind::Timed { rows, .. } => {
                rows.iter().map(|(name, measure)| ((*name).to_owned(), *measure)).collect()
            }
            Kind::Echo { load: Load::Open(_), .. } => vec![(self.name.clone(), Measure::Latency)],
            Kind::Idle { .. } => vec![(self.name.clone(), Measure::Memory)],
            Kind::Echo { .. } | Kind::Churn { .. } | Kind::Kv { .. } => {
                vec![(self.name.clone(), Measure::Cpu)]
            }
        }
    }
}

type Line = (&'static str, u64, &'static [(&'static str, Measure)], usize, &'static str);

const TIMED: &[Line] = &[
    (
        "spawn-join",
        400_000,
        &[("spawn-join", Measure::Cpu)],
        1,
        "start a task, await its output, one at a time",
    ),
    ("batch", 400_000, &[("batch", Measure::Cpu)], 1, "start a thousand tasks, then await all"),
    ("chain", 400_000, &[("chain", Measure::Cpu)], 1, "a task starts the next one and ends"),
    ("yield", 1_600_000, &[("yield", Measure::Cpu)], 1, "32 tasks that yield in turns"),
    ("ping-pong", 200_000, &[("ping-pong", Measure::Cpu)], 1, "a value there and back through queues of one"),
    (
        "channel",
        1_000_000,
        &[("channel", Measure::Cpu)],
        1,
        "values through a queue of 64, one sender, one receiver",
    ),
    (
        "mutex",
        400_000,
        &[("mutex", Measure::Cpu)],
        1,
        "four tasks on one lock, which yield while they hold it",
    ),
    (
        "timers",
        1_000_000,
        &[("timer-insert", Measure::Cpu), ("timer-cancel", Measure::Cpu), ("timer-fire", Measure::Cpu)],
        1,
        "a million tasks that sleep: started, aborted, and started and woken",
    ),
    (
        "wake-threads",
        1_000,
        &[("wake-threads", Measure::Time)],
        2,
        "a plain thread wakes a task, and the task it",
    ),
    ("nop-1", 80_000, &[("nop-1", Measure::Cpu)], 1, "an operation that does nothing, one at a time"),
    ("nop-32", 400_000, &[("nop-32", Measure::Cpu)], 1, "the same, 32 in flight"),
    ("nop-128", 400_000, &[("nop-128", Measure::Cpu)], 1, "the same, 128 in flight"),
    (
        "file-reads",
        60_000,
        &[("file-reads", Measure::Cpu)],
        1,
        "4096 bytes at random of a cached file, 32 in flight",
    ),
];

fn echo(connections: usize, bytes: usize, load: Load) -> Workload {
    let size = if bytes >= 1024 { format!("{}KiB", bytes / 1024) } else { format!("{bytes}B") };
    let (name, what) = match load {
        Load::Closed => {
            (format!("echo-{connections}x{size}"), "TCP echo, each connection sends when it was answered")
        }
        Load::Open(rate) => {
            (format!("echo-open-{}k", rate / 1000), "TCP echo at a fixed rate, 64 connections of 64 bytes")
        }
    };
    Workload { name, what, program: "echo", kind: Kind::Echo { connections, bytes, load } }
}

/// All of them, in the report's order.
pub fn all() -> Vec<Workload> {
    let timed = |&(program, items, rows, processors, what): &Line| {
        let kind = Kind::Timed { items, quick: items / 4, rows, processors };
        Workload { name: program.to_owned(), what, program, kind }
    };
    let mut all: Vec<Workload> = TIMED.iter().map(timed).collect();
    for bytes in [64, 4096, 65_536] {
        all.extend([1, 64, 1000].map(|connections| echo(connections, bytes, Load::Closed)));
    }
    all.extend([20_000, 60_000].map(|rate| echo(64, 64, Load::Open(rate))));
    let what = "connect, send 64 bytes, get them back, end; 32 connections at a time";
    let kind = Kind::Churn { connections: 32 };
    all.push(Workload { name: "churn".to_owned(), what, program: "echo", kind });
    let what = "memory of a connection that has sent once and is silent, of ten thousand";
    let kind = Kind::Idle { connections: 10_000 };
    all.push(Workload { name: "idle".to_owned(), what, program: "idle", kind });
    for (request, pipeline, what) in [
        ("get", 1, "GET of 64 bytes, 50 connections"),
        ("set", 1, "SET of 64 bytes, 50 connections"),
        ("get", 16, "the same, 16 requests at once"),
        ("set", 16, "the same, 16 requests at once"),
    ] {
        let kind = Kind::Kv { request, pipeline };
        all.push(Workload { name: format!("kv-{request}-{pipeline}"), what, program: "kv", kind });
    }
    all
}
