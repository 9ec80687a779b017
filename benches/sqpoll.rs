//! `cargo bench -p unboxed-benches --bench sqpoll`: what a thread of the kernel's that takes submissions (SQPOLL) costs
//! and gains, by its idle time and by how often there is something to submit; against workers that submit themselves.
//!
//! On two processors the kernel's thread has one, and the worker, and for echoes the client too, have the other. Run it as a
//! real-time program, `chrt -f 1`, where other programs disturb: the kernel's thread inherits that.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as PlainStream};
use std::time::{Duration, Instant};
use unboxed::net::TcpListener;
use unboxed::op::nop;
use unboxed::rt::{Config, Idle, Runtime, RuntimeCell, SqPoll};
use unboxed::task::Bytes;
use unboxed::time::sleep;
use unboxed_benches::{cpu_time, median};

const ROUNDS: usize = 3;
const SPIN: Idle = Idle::SpinFor(Duration::from_micros(50));
/// Name, milliseconds of the kernel's thread (none: there is no such thread), and what the worker does when idle.
const WAYS: [(&str, Option<u64>, Idle); 9] = [
    ("off", None, Idle::Sleep),
    ("1 ms", Some(1), Idle::Sleep),
    ("2 ms", Some(2), Idle::Sleep),
    ("5 ms", Some(5), Idle::Sleep),
    ("10 ms", Some(10), Idle::Sleep),
    ("50 ms", Some(50), Idle::Sleep),
    ("off, worker spins", None, SPIN),
    ("1 ms, worker spins", Some(1), SPIN),
    ("10 ms, worker spins", Some(10), SPIN),
];
/// Pauses before an operation, and how many there are in a round.
const PAUSES: [(Duration, u32); 6] = [
    (Duration::ZERO, 5_000),
    (Duration::from_micros(100), 1_000),
    (Duration::from_millis(1), 100),
    (Duration::from_millis(5), 30),
    (Duration::from_millis(20), 10),
    (Duration::from_millis(100), 3),
];

/// What a round came to, in microseconds an operation.
struct Figures {
    latency: f64,
    workers: f64,
    kernel: f64,
}

type Way = (&'static str, Option<u64>, Idle);

fn config((_, idle_ms, idle): Way) -> Config {
    let config = Config::new().idle(idle);
    match idle_ms {
        None => config,
        Some(ms) => config.sqpoll(SqPoll::Forced { core: None, idle: Duration::from_millis(ms) }),
    }
}

/// Processor time of the kernel's thread so far; none, if there is no such thread.
fn kernel_time() -> Option<Duration> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let mut times = tasks.filter_map(|task| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        let ns = name.starts_with("iou-sqp").then(|| stat.split(' ').next()?.parse::<u64>().ok());
        ns.flatten()
    });
    times.next().map(Duration::from_nanos)
}

/// The kernel ends its thread some time after the ring.
fn start(cell: &'static RuntimeCell<8>, way: Way) -> Option<Runtime> {
    while kernel_time().is_some() {
        std::thread::sleep(Duration::from_millis(1));
    }
    cell.start(config(way)).ok()
}

fn micros(time: Duration, times: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(times)
}

/// Measures `times` operations that together waited as long as `run` says.
fn measure(times: u32, run: impl FnOnce() -> Duration) -> Figures {
    let now = || (cpu_time(), kernel_time().unwrap_or_default());
    let (all, kernel) = now();
    let waited = run();
    let (all_after, kernel_after) = now();
    let (all, kernel) = (all_after - all, kernel_after - kernel);
    Figures {
        latency: micros(waited, times),
        workers: micros(all.saturating_sub(kernel), times),
        kernel: micros(kernel, times),
    }
}

async fn pauses(pause: Duration) {
    if !pause.is_zero() {
        sleep(pause).await.expect("open");
    }
}

fn nops(way: Way, pause: Duration, times: u32) -> Option<Figures> {
    static CELL: RuntimeCell<8> = RuntimeCell::new();
    let mut runtime = start(&CELL, way)?;
    let figures = measure(times, || {
        runtime.block_on(async {
            let mut waited = Duration::ZERO;
            for _ in 0..times {
                pauses(pause).await;
                let begin = Instant::now();
                nop().await.expect("open");
                waited += begin.elapsed();
            }
            waited
        })
    });
    runtime.close(Duration::from_secs(1));
    Some(figures)
}

#[unboxed::task(ops = 1, bytes = 64)]
async fn serves(mut listener: TcpListener, mut bytes: Bytes<'_>) {
    let mut stream = listener.accept().await.expect("a connection");
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        stream.write_all(&mut bytes).first(count).await.expect("a client");
    }
}

fn echoes(way: Way, pause: Duration, times: u32) -> Option<Figures> {
    static CELL: RuntimeCell<8> = RuntimeCell::new();
    let mut runtime = start(&CELL, way)?;
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = runtime.enter(|| TcpListener::bind(anywhere)).ok()?;
    let address = listener.local_addr().ok()?;
    let client = move || {
        let mut stream = PlainStream::connect(address).expect("the server");
        stream.set_nodelay(true).expect("a socket");
        let mut waited = Duration::ZERO;
        for _ in 0..times {
            std::thread::sleep(pause);
            let begin = Instant::now();
            stream.write_all(&[7; 64]).expect("the server");
            stream.read_exact(&mut [0; 64]).expect("the server");
            waited += begin.elapsed();
        }
        waited
    };
    let figures = measure(times, || {
        let client = std::thread::spawn(client);
        runtime.block_on(async { serves::spawn(listener).expect("a block").await }).expect("a task");
        client.join().expect("no panic")
    });
    runtime.close(Duration::from_secs(1));
    Some(figures)
}

fn table(what: &str, divisor: u32, run: impl Fn(Way, Duration, u32) -> Option<Figures>) {
    for (pause, times) in PAUSES {
        // Echoes back to back take longer than no-ops.
        let times = if pause.is_zero() { times / divisor } else { times };
        let mut rows: [[Vec<f64>; 3]; WAYS.len()] = Default::default();
        for _ in 0..ROUNDS {
            for (row, way) in rows.iter_mut().zip(WAYS) {
                let Some(figures) = run(way, pause, times) else { return println!("skipped: no ring") };
                row[0].push(figures.latency);
                row[1].push(figures.workers);
                row[2].push(figures.kernel);
            }
        }
        println!("\n{what}, {pause:?} apart");
        for ([latency, workers, kernel], (name, ..)) in rows.iter_mut().zip(WAYS) {
            println!(
                "  {name:19} {:9.1} us to the result {:9.1} us of the program's threads {:9.1} us of the kernel's",
                median(latency),
                median(workers),
                median(kernel)
            );
        }
    }
}

fn main() {
    println!("medians of {ROUNDS} interleaved rounds, an operation; the pause itself is not counted");
    table("no-ops", 1, nops);
    table("echoes of 64 bytes", 5, echoes);
}
