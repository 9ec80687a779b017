//! A control loop of 1 kHz beside other work on the same thread: how late it is, under each idle policy.
//!
//! The loop is a task of the urgent lane. Beside it, two tasks compute in the background lane, in slices, and four
//! connections talk in the normal one. Nothing is allocated while it runs.

mod load;
mod picture;

use std::time::Duration;
use unboxed::alloc::Counting;
use unboxed::observe::Histogram;
use unboxed::rt::{Config, Idle, RuntimeCell};
use unboxed::time::{Instant, MissedTicks, interval};
use unboxed_examples::Args;

#[global_allocator]
static HEAP: Counting = Counting::new();

const USAGE: &str = "\
Runs a control loop of 1 kHz beside other work, and shows how late it is.

usage: latency [--seconds N] [--policy POLICY] [--load PERCENT] [--period-us N] [--spin-us N]
               [--realtime N] [--svg FILE]

  --seconds N      for each policy (default 2)
  --policy POLICY  sleep, spin-for, spin, or all of them, one after the other (default all)
  --load PERCENT   how much of the time the background tasks compute (default 30; 0 leaves out all other work)
  --period-us N    of the control loop (default 1000)
  --spin-us N      how long spin-for spins (default 50)
  --realtime N     runs the thread in real time with this priority, 1 to 99 (default 0: not)
  --svg FILE       draws the histograms
  --help           prints this";

static RUNTIME: RuntimeCell<64> = RuntimeCell::new();

/// The loop: it notes how long after its moment each tick came.
#[unboxed::task(lane = "urgent", ops = 1)]
async fn controls(period: Duration, ticks: u64) -> Histogram {
    let mut lateness = Histogram::new();
    let mut interval = interval(period, MissedTicks::Skip);
    for _ in 0..ticks {
        let due = interval.tick().await.expect("a slot");
        lateness.record(Instant::now().expect("a runtime").since(due).as_nanos() as u64);
        // What the loop controls would be done here.
    }
    lateness
}

struct Plan {
    period: Duration,
    ticks: u64,
    percent: u32,
    /// Of the thread, in real time; zero is none.
    priority: u8,
}

/// A run under one policy: the lateness, and what was allocated after the start.
fn run(plan: &Plan, idle: Idle) -> (Histogram, u64) {
    let mut config = Config::new().idle(idle);
    if plan.priority > 0 {
        config = config.realtime(plan.priority);
    }
    let mut runtime = RUNTIME.start(config).unwrap_or_else(|error| {
        eprintln!("no runtime: {error}");
        std::process::exit(1);
    });
    let done = runtime.block_on(async {
        if plan.percent > 0 {
            load::begin(plan.percent).await;
        }
        let ready = HEAP.allocations();
        let control = controls::spawn(plan.period, plan.ticks).expect("a free block");
        let lateness = control.await.expect("the loop ends by itself");
        (lateness, HEAP.allocations() - ready)
    });
    runtime.close(Duration::from_secs(1));
    done
}

fn main() {
    let mut args = Args::parse(USAGE);
    let seconds = args.value("--seconds", 2.0f64);
    let policy = args.value("--policy", "all".to_owned());
    let percent = args.value("--load", 30u32);
    let period = Duration::from_micros(args.value("--period-us", 1000u64));
    let spin = Duration::from_micros(args.value("--spin-us", 50u64));
    let priority = args.value("--realtime", 0u8);
    let svg = args.value("--svg", String::new());
    let policies = [("sleep", Idle::Sleep), ("spin-for", Idle::SpinFor(spin)), ("spin", Idle::Spin)];
    if policy != "all" && policies.iter().all(|(name, _)| *name != policy) {
        args.fail(&format!("--policy {policy}: sleep, spin-for, spin or all"));
    }
    if percent > 90 || period.is_zero() || !(0.0..=1e6).contains(&seconds) {
        args.fail(
            "the load is at most 90 percent, the period at least 1 us, the time at most a million seconds",
        );
    }
    args.finish();

    let ticks = ((seconds / period.as_secs_f64()) as u64).max(1);
    let plan = Plan { period, ticks, percent, priority };
    let mut results = Vec::new();
    let mut allocations = 0;
    for (name, idle) in policies.into_iter().filter(|(name, _)| policy == "all" || *name == policy) {
        let (lateness, allocated) = run(&plan, idle);
        allocations += allocated;
        println!("{name}, lateness in ns: {lateness}");
        picture::print(&lateness);
        results.push((name, lateness));
    }
    println!("heap allocations since ready: {allocations}");
    if !svg.is_empty()
        && let Err(error) = std::fs::write(&svg, picture::svg(&results))
    {
        eprintln!("{svg}: {error}");
        std::process::exit(1);
    }
}
