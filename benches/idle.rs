//! `cargo bench -p unboxed-benches --bench idle`: what spinning before a sleep gains, and what it costs. Two tasks
//! on two workers answer each other, at once or after a pause, under each policy in turn.

use std::time::{Duration, Instant};
use unboxed::channel::Channel;
use unboxed::rt::{Config, Idle, RuntimeCell};
use unboxed::time::sleep;
use unboxed_benches::{cpu_time, median};

const ROUNDS: usize = 5;
const POLICIES: [(&str, Idle); 6] = [
    ("sleep", Idle::Sleep),
    ("5 us", Idle::SpinFor(Duration::from_micros(5))),
    ("20 us", Idle::SpinFor(Duration::from_micros(20))),
    ("50 us", Idle::SpinFor(Duration::from_micros(50))),
    ("200 us", Idle::SpinFor(Duration::from_micros(200))),
    ("spin", Idle::Spin),
];
/// Pauses of the asking side, and how many times it asks.
const PAUSES: [(Duration, u32); 3] =
    [(Duration::ZERO, 4_000), (Duration::from_micros(100), 1_000), (Duration::from_millis(2), 100)];

static THERE: Channel<u32, 1> = Channel::new();
static BACK: Channel<u32, 1> = Channel::new();

#[unboxed::task(ops = 1)]
async fn answers(times: u32) {
    for _ in 0..times {
        let value = THERE.recv().await.expect("open");
        BACK.send(value).await.expect("open");
    }
}

#[unboxed::task(ops = 1)]
async fn asks(times: u32, pause: Duration) -> Duration {
    let mut waited = Duration::ZERO;
    for value in 0..times {
        if !pause.is_zero() {
            sleep(pause).await.expect("open");
        }
        let begin = Instant::now();
        THERE.send(value).await.expect("open");
        assert_eq!(BACK.recv().await, Ok(value));
        waited += begin.elapsed();
    }
    waited
}

/// Microseconds of a round trip, and of processor time.
fn run(idle: Idle, pause: Duration, times: u32) -> Option<(f64, f64)> {
    static CELL: RuntimeCell<4, 2> = RuntimeCell::new();
    let mut runtime = CELL.start(Config::new().workers(2).idle(idle)).ok()?;
    let remote = runtime.remote();
    let (here, there) = (remote.worker(0)?, remote.worker(1)?);
    let before = cpu_time();
    let waited = runtime.block_on(async {
        let other = answers::spawn_on(&there, times).expect("a block");
        let waited = asks::spawn_on(&here, times, pause).expect("a block").await.expect("a task");
        other.await.expect("a task");
        waited
    });
    let cpu = cpu_time() - before;
    runtime.close(Duration::from_secs(1));
    let per = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(times);
    Some((per(waited), per(cpu)))
}

fn main() {
    println!(
        "medians of {ROUNDS} interleaved rounds: a round trip between two workers, and its processor time"
    );
    for (pause, times) in PAUSES {
        let mut rows: [(Vec<f64>, Vec<f64>); POLICIES.len()] = Default::default();
        for _ in 0..ROUNDS {
            for (row, (_, idle)) in rows.iter_mut().zip(POLICIES) {
                let Some((trip, cpu)) = run(idle, pause, times) else { return println!("skipped: no ring") };
                row.0.push(trip);
                row.1.push(cpu);
            }
        }
        println!("\npause of {pause:?}");
        for ((trips, cpus), (name, _)) in rows.iter_mut().zip(POLICIES) {
            println!("  {name:8} {:8.1} us a trip {:8.1} us of processor", median(trips), median(cpus));
        }
    }
}
