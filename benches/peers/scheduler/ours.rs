//! The programs on unboxed. Their tasks lie in static pools.

use super::gate::{self, GATE, SLEEPERS, block_on_each, count_down, poll_sleeper, timed};
use super::{OURS, busy, load};
use std::future::poll_fn;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use unboxed::channel::Oneshot;
use unboxed::rt::{Config, Mode, Remote, RuntimeCell};
use unboxed::sync::Notify;
use unboxed::{task, yield_now};

const MANY: usize = 10_000;
const PINGS: usize = 1_000;
/// Blocks of tasks that have counted themselves down in the round before, and are about to end.
const ENDING: usize = 64;

/// One runtime, whose first worker is a thread that does nothing else.
pub struct Host {
    pub name: &'static str,
    pub remote: Remote,
    workers: usize,
    stop: &'static Notify,
    thread: thread::JoinHandle<()>,
}

/// All of them; none where the system refuses one.
pub fn start() -> Option<Vec<Host>> {
    static CELLS: [RuntimeCell<16, 2>; OURS.len()] = [const { RuntimeCell::new() }; OURS.len()];
    static STOPS: [Notify; OURS.len()] = [const { Notify::new() }; OURS.len()];
    let hosts = OURS.iter().zip(&CELLS).zip(&STOPS);
    hosts.map(|((&(workers, mode), cell), stop)| Host::start(cell, stop, workers, mode)).collect()
}

impl Host {
    fn start(
        cell: &'static RuntimeCell<16, 2>,
        stop: &'static Notify,
        workers: usize,
        mode: Mode,
    ) -> Option<Self> {
        let (told, started) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut runtime = match cell.start(Config::new().workers(workers).mode(mode)) {
                Ok(runtime) => runtime,
                Err(error) => return println!("{error}"),
            };
            told.send(runtime.remote()).expect("somebody waits");
            runtime.block_on(stop.notified());
        });
        let name = if mode == Mode::Stealing { "unboxed, stealing" } else { "unboxed, thread per core" };
        Some(Self { name, remote: started.recv().ok()?, workers, stop, thread })
    }

    pub fn stop(self) {
        self.stop.notify_one();
        self.thread.join().expect("no panic");
    }
}

#[task(pool = MANY + ENDING, ops = 0)]
async fn counts_down() {
    count_down();
}

#[task(pool = MANY + ENDING, ops = 0)]
async fn nothing() {}

#[task(pool = 2, ops = 0)]
async fn spawns_many() {
    for _ in 0..MANY {
        counts_down::spawn().expect("a block").detach();
    }
}

pub fn spawn_local(host: &Host) -> Duration {
    timed(MANY, || spawns_many::spawn_on(&host.remote).expect("a block").detach())
}

fn spawn_and_join(host: &Host, count: usize) -> Duration {
    let mut handles = Vec::with_capacity(count);
    let begin = Instant::now();
    handles.extend((0..count).map(|_| nothing::spawn_on(&host.remote).expect("a block")));
    block_on_each(handles.into_iter());
    begin.elapsed()
}

pub fn spawn_remote(host: &Host) -> Duration {
    spawn_and_join(host, MANY)
}

#[task(pool = 4 + ENDING, ops = 0)]
async fn yields_busily() {
    while busy::go_on() {
        yield_now().await;
        busy::stall();
    }
    busy::ended();
}

pub fn spawn_busy_yields(host: &Host) -> Duration {
    let start = || yields_busily::spawn_on(&host.remote).expect("a block").detach();
    busy::beside(2 * host.workers, start, || spawn_and_join(host, MANY))
}

#[task(pool = 4 + ENDING, ops = 0)]
async fn spawns_busily() {
    if busy::go_on() {
        busy::stall();
        spawns_busily::spawn().expect("a block").detach();
    } else {
        busy::ended();
    }
}

pub fn spawn_busy_spawns(host: &Host) -> Duration {
    let start = || spawns_busily::spawn_on(&host.remote).expect("a block").detach();
    busy::beside(host.workers, start, || spawn_and_join(host, 1_000))
}

#[task(pool = 200 + ENDING, ops = 0)]
async fn yields() {
    for _ in 0..1_000 {
        yield_now().await;
    }
    count_down();
}

pub fn yield_many(host: &Host) -> Duration {
    timed(200, || (0..200).for_each(|_| yields::spawn_on(&host.remote).expect("a block").detach()))
}

static PAIRS: [[Oneshot<()>; 2]; PINGS] = [const { [Oneshot::new(), Oneshot::new()] }; PINGS];

#[task(pool = PINGS + ENDING, ops = 0)]
async fn pong(pair: &'static [Oneshot<()>; 2]) {
    let answer = pair[1].sender().expect("the only one");
    pair[0].receiver().expect("the only one").recv().await.expect("a ping");
    answer.send(()).expect("the other waits");
}

#[task(pool = PINGS + ENDING, ops = 0)]
async fn ping(pair: &'static [Oneshot<()>; 2]) {
    let sender = pair[0].sender().expect("the only one");
    let mut answer = pair[1].receiver().expect("the only one");
    pong::spawn(pair).expect("a block").detach();
    sender.send(()).expect("the other waits");
    answer.recv().await.expect("a pong");
    drop(answer);
    count_down();
}

#[task(pool = 2, ops = 0)]
async fn pings() {
    for pair in &PAIRS {
        ping::spawn(pair).expect("a block").detach();
    }
}

pub fn ping_pong(host: &Host) -> Duration {
    timed(PINGS, || pings::spawn_on(&host.remote).expect("a block").detach())
}

#[task(pool = 4, ops = 0)]
async fn chained(left: usize) {
    match left {
        0 => GATE.open(),
        left => chained::spawn(left - 1).expect("a block").detach(),
    }
}

pub fn chained_spawn(host: &Host) -> Duration {
    timed(0, || chained::spawn_on(&host.remote, 1_000).expect("a block").detach())
}

#[task(pool = SLEEPERS, ops = 0)]
async fn sleeper() {
    let mut registered = false;
    poll_fn(|cx| poll_sleeper(&mut registered, cx)).await;
}

#[task(pool = 2 + ENDING, ops = 0)]
async fn only_yields() {
    while busy::go_on() {
        yield_now().await;
    }
    busy::ended();
}

fn with_sleepers(host: &Host, count: usize, run: impl FnOnce(&[std::task::Waker]) -> Duration) -> Duration {
    gate::POLLED.store(0, std::sync::atomic::Ordering::Relaxed);
    let handles: Vec<_> = (0..count).map(|_| sleeper::spawn_on(&host.remote).expect("a block")).collect();
    let took = run(&gate::sleepers(count));
    handles.iter().for_each(|handle| handle.abort());
    block_on_each(handles.into_iter());
    took
}

pub fn wake_busy(host: &Host) -> Duration {
    with_sleepers(host, SLEEPERS, |wakers| {
        let start = || only_yields::spawn_on(&host.remote).expect("a block").detach();
        busy::beside(host.workers, start, || gate::wake_all(wakers))
    })
}

pub fn wake_asleep(host: &Host) -> Duration {
    with_sleepers(host, 1, |wakers| gate::wake_asleep(&wakers[0]))
}

#[task(pool = load::IN_FLIGHT, ops = 0)]
async fn request(request: load::Request) {
    request.serve();
}

/// One request; false when all blocks are in use.
pub fn offer(host: &Host, one: load::Request) -> bool {
    request::spawn_on(&host.remote, one).map(|handle| handle.detach()).is_ok()
}
