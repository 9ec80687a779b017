//! On real rings: nothing is allocated while a runtime is observed, a stuck poll is seen while it is stuck, and a trace of
//! several workers is one. The count is the process's, so there is one test.

#[path = "support/trace_format.rs"]
mod trace_format;

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use unboxed::alloc::Counting;
use unboxed::net::{TcpListener, TcpStream};
use unboxed::observe::{
    Kind, Observation, Records, SlowPoll, Snapshot, Stuck, TraceBuffer, Tracer, Track, Watcher, chrome,
    observation,
};
use unboxed::rt::{Config, RuntimeCell};
use unboxed::task::Bytes;

#[global_allocator]
static HEAP: Counting = Counting::new();

static CELL: RuntimeCell<64, 2> = RuntimeCell::new();
static BUFFERS: [TraceBuffer<8192>; 2] = [const { TraceBuffer::new() }; 2];
static SLOW: AtomicU64 = AtomicU64::new(0);
static STUCK: AtomicU64 = AtomicU64::new(0);
static STUCK_IN: Mutex<&str> = Mutex::new("");
static LET_GO: AtomicBool = AtomicBool::new(false);

fn slow(poll: &SlowPoll) {
    if poll.task == "blocks" {
        SLOW.fetch_add(1, Ordering::SeqCst);
    }
}

fn stuck(poll: &Stuck) {
    if poll.task == "blocks" {
        *STUCK_IN.lock().unwrap() = poll.task;
        STUCK.fetch_add(1, Ordering::SeqCst);
        LET_GO.store(true, Ordering::SeqCst);
    }
}

struct Counts(AtomicU64);

impl Tracer for Counts {
    fn turn_ended(&self, _: usize, records: Records<'_>) {
        self.0
            .fetch_add(records.filter(|record| record.kind == Kind::Poll).count() as u64, Ordering::Relaxed);
    }
}

static COUNTS: Counts = Counts(AtomicU64::new(0));
static TIMED: Observation = observation().slow_polls(50_000_000, slow);
static TRACED: Observation =
    observation().slow_polls(50_000_000, slow).buffer(0, &BUFFERS[0]).buffer(1, &BUFFERS[1]).tracer(&COUNTS);

#[unboxed::task(pool = 8, ops = 2, bytes = 64)]
async fn echo(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        stream.write_all(&mut bytes).first(count).await.unwrap();
    }
}

#[unboxed::task(pool = 8, ops = 2, bytes = 64)]
async fn ask(mut stream: TcpStream, times: u32, mut bytes: Bytes<'_>) {
    for _ in 0..times {
        stream.write_all(&mut bytes).await.unwrap();
        let mut left = 64;
        while left > 0 {
            left -= stream.read(&mut bytes).range(0..left).await.unwrap();
        }
    }
}

/// Until the watcher has seen it.
#[unboxed::task]
async fn blocks() {
    let begun = Instant::now();
    while !LET_GO.load(Ordering::SeqCst) && begun.elapsed() < Duration::from_secs(20) {
        std::hint::spin_loop();
    }
    // Longer than the limit of `slow_polls` in any case.
    while begun.elapsed() < Duration::from_millis(80) {
        std::hint::spin_loop();
    }
}

async fn load(listener: &mut TcpListener, times: u32) {
    let address = listener.local_addr().unwrap();
    let mut asks: [_; 4] = std::array::from_fn(|_| None);
    for place in &mut asks {
        let stream = TcpStream::connect(address).await.unwrap();
        echo::spawn(listener.accept().await.unwrap()).unwrap().detach();
        *place = Some(ask::spawn(stream, times).unwrap());
    }
    for ask in asks.into_iter().flatten() {
        ask.await.unwrap();
    }
    while echo::memory().used > 0 {
        unboxed::time::sleep(Duration::from_millis(1)).await.unwrap();
    }
}

/// A fixed place for text.
struct Fixed(Box<[u8]>, usize);

impl Write for Fixed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.1 + text.len();
        self.0.get_mut(self.1..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.1 = end;
        Ok(())
    }
}

#[test]
fn a_runtime_that_is_observed_allocates_nothing() {
    let mut text = Fixed(vec![0; 16 << 20].into(), 0);
    let mut runtime = match CELL.start(Config::new().workers(2)) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    let remote = runtime.remote();
    let mut seen = Snapshot::new();
    let listener = runtime.enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap());
    let listener = &mut { listener };
    runtime.block_on(load(listener, 50));

    for (mode, observed) in [None, Some(&TIMED), Some(&TRACED)].into_iter().enumerate() {
        assert!(remote.observe(observed));
        let before = HEAP.allocations();
        runtime.block_on(load(listener, 500));
        (0..2).for_each(|worker| assert!(remote.snapshot(worker, &mut seen)));
        assert_eq!(HEAP.allocations() - before, 0, "mode {mode}");
    }
    assert!(COUNTS.0.load(Ordering::Relaxed) > 4 * 500);

    let watcher = Watcher::start(remote, Duration::from_millis(40), stuck).unwrap();
    let tracks = [0, 1].map(|i| Track { name: ["worker 0", "worker 1"][i], records: &BUFFERS[i] });
    let before = HEAP.allocations();
    runtime.block_on(async { blocks::spawn().unwrap().await.unwrap() });
    write!(text, "{}", chrome(&tracks)).unwrap();
    assert_eq!(HEAP.allocations() - before, 0, "a poll that is stuck, and the export");
    drop(watcher);
    assert_eq!((STUCK.load(Ordering::SeqCst), SLOW.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(*STUCK_IN.lock().unwrap(), "blocks");

    let (mut polls, mut slow) = (0, 0);
    for worker in 0..2 {
        assert!(remote.snapshot(worker, &mut seen));
        polls += seen.poll_ns.count();
        slow += seen.slow_polls;
        assert!(seen.poll_ns.count() <= seen.polls);
    }
    assert!(polls > 8 * 500 && slow >= 1);

    let events = trace_format::check(std::str::from_utf8(&text.0[..text.1]).unwrap(), 2);
    let with = |ph: &str, name: &str| events.iter().filter(|e| e["ph"] == ph && e["name"] == name).count();
    assert!(with("X", "echo") > 100 && with("X", "blocks") == 1 && with("b", "recv") > 100);
    let taken = events.iter().filter(|e| e["args"]["end"] == "taken").count();
    assert!(taken > 200, "{taken}");
    remote.observe(None);
}
