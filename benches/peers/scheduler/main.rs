//! Several workers against tokio's multi-thread runtime with as many, interleaved: `cargo bench --bench scheduler`,
//! with `-- load` behind it for the latencies under an open load, and `-- ROW` for the rows whose name contains ROW.
//!
//! The programs have the shapes of tokio's own `rt_multi_threaded` benches, and two more for wakes. Each runtime
//! has so many workers, and beside them there is one plain thread, which asks and waits. For tokio all workers are
//! threads of its own; for unboxed the first one is a thread that does nothing else.

mod busy;
mod gate;
mod load;
mod ours;
mod svg;
mod theirs;

use std::time::Duration;
use unboxed::rt::Mode;
use unboxed_benches::median;

const ROUNDS: usize = 21;
const WORKERS: [usize; 2] = [1, 2];

/// One program: what it is called, how many items it has, and how it runs on either side. It answers how long it
/// took.
struct Shape {
    name: &'static str,
    items: usize,
    ours: fn(&ours::Host) -> Duration,
    theirs: fn(&theirs::Host) -> Duration,
}

const SHAPES: [Shape; 9] = [
    Shape {
        name: "spawn_many, from a worker",
        items: 10_000,
        ours: ours::spawn_local,
        theirs: theirs::spawn_local,
    },
    Shape {
        name: "spawn_many, from outside, idle",
        items: 10_000,
        ours: ours::spawn_remote,
        theirs: theirs::spawn_remote,
    },
    Shape {
        name: "the same, workers yield busily",
        items: 10_000,
        ours: ours::spawn_busy_yields,
        theirs: theirs::spawn_busy_yields,
    },
    Shape {
        name: "the same, workers spawn busily",
        items: 1_000,
        ours: ours::spawn_busy_spawns,
        theirs: theirs::spawn_busy_spawns,
    },
    Shape { name: "yield_many", items: 200_000, ours: ours::yield_many, theirs: theirs::yield_many },
    Shape { name: "ping_pong", items: 1_000, ours: ours::ping_pong, theirs: theirs::ping_pong },
    Shape { name: "chained_spawn", items: 1_000, ours: ours::chained_spawn, theirs: theirs::chained_spawn },
    Shape { name: "wake from outside, busy", items: 6_400, ours: ours::wake_busy, theirs: theirs::wake_busy },
    Shape {
        name: "wake from outside, asleep",
        items: gate::SLEEPS,
        ours: ours::wake_asleep,
        theirs: theirs::wake_asleep,
    },
];

/// Wall and CPU time an item, in nanoseconds.
#[derive(Default)]
struct Figures {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Figures {
    fn add(&mut self, items: usize, run: impl FnOnce() -> Duration) {
        let before = cpu_time();
        let wall = run();
        let cpu = cpu_time() - before;
        self.wall.push(wall.as_nanos() as f64 / items as f64);
        self.cpu.push(cpu.as_nanos() as f64 / items as f64);
    }
}

/// What the whole process has used, in the system too.
fn cpu_time() -> Duration {
    // SAFETY: zeroed is a value of this plain record, and the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    [usage.ru_utime, usage.ru_stime]
        .iter()
        .map(|time| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000))
        .sum()
}

/// A task that panics would be waited for for ever.
fn abort_on_panic() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        told(panic);
        std::process::abort();
    }));
}

fn main() {
    abort_on_panic();
    let argument = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let Some(ours) = ours::start() else { return println!("skipped: no runtime") };
    let theirs = WORKERS.map(theirs::Host::start);
    if argument == "load" {
        load::run(&ours[2..], &theirs[1]);
    } else {
        compare(&ours, &theirs, &argument);
    }
    ours.into_iter().for_each(ours::Host::stop);
}

/// How many times as much they took, in the middle one of the rounds: what else the machine did meanwhile was about
/// the same for both.
fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    median(&mut theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect::<Vec<_>>())
}

fn compare(ours: &[ours::Host], theirs: &[theirs::Host], only: &str) {
    let shapes: Vec<_> = SHAPES.iter().filter(|shape| shape.name.contains(only)).collect();
    let mut rows: Vec<[[Figures; 2]; WORKERS.len()]> = shapes.iter().map(|_| Default::default()).collect();
    // One after the other: what one number of workers does to the order of free memory is none of the other's.
    for (at, _) in WORKERS.iter().enumerate() {
        for _ in 0..ROUNDS {
            for (shape, row) in shapes.iter().zip(&mut rows) {
                let [mine, other] = &mut row[at];
                mine.add(shape.items, || (shape.ours)(&ours[at]));
                other.add(shape.items, || (shape.theirs)(&theirs[at]));
            }
        }
    }
    println!("ns an item, medians of {ROUNDS} interleaved rounds; CPU time is the whole process's;");
    println!("a ratio is how many times as much tokio took, the median of the rounds' own\n");
    println!("| program | workers | unboxed | tokio | ratio | unboxed, CPU | tokio, CPU | ratio |");
    println!("|---|---|---|---|---|---|---|---|");
    for (shape, row) in shapes.iter().zip(&mut rows) {
        for (workers, [mine, other]) in WORKERS.iter().zip(row) {
            let ratio = ratio(&mine.wall, &other.wall);
            let cpu_ratio = self::ratio(&mine.cpu, &other.cpu);
            let [wall, their_wall] = [&mut *mine, &mut *other].map(|figures| median(&mut figures.wall));
            let [cpu, their_cpu] = [mine, other].map(|figures| median(&mut figures.cpu));
            println!(
                "| {} | {workers} | {wall:.1} | {their_wall:.1} | {ratio:.2} | {cpu:.1} | {their_cpu:.1} | {cpu_ratio:.2} |",
                shape.name,
            );
        }
    }
}

/// How many workers each of our runtimes has, and how they share: those of the table, and two for the load.
const OURS: [(usize, Mode); 4] =
    [(1, Mode::Stealing), (2, Mode::Stealing), (2, Mode::Stealing), (2, Mode::PerCore)];
