//! `cargo bench -p unboxed-benches --bench sync`: what the locks cost, uncontended and handed over.

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed::sync::{Domain, Local, Mutex, Notify, RwLock, Semaphore, Tasks};
use unboxed::yield_now;
use unboxed_benches::{median, ns_per_item};

const ROUNDS: usize = 21;
const ITEMS: u32 = 1_000_000;
const SWITCHES: u32 = 100_000;

static HANDED: Mutex<u32> = Mutex::new(0);
static PING: Notify = Notify::new();
static PONG: Notify = Notify::new();

/// One of two that hand a mutex to each other: each holds it until the other waits.
#[unboxed::task(pool = 2, ops = 0)]
async fn hands_over(times: u32) {
    for _ in 0..times {
        let mut guard = HANDED.lock().await;
        *guard += 1;
        yield_now().await;
    }
}

#[unboxed::task(pool = 1, ops = 0)]
async fn answers(times: u32) {
    for _ in 0..times {
        PING.notified().await;
        PONG.notify_one();
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> F::Output {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nobody else has it"),
    }
}

fn try_lock<D: Domain>(mutex: &Mutex<u32, D>) {
    for _ in 0..ITEMS {
        *black_box(mutex).try_lock().expect("free") += 1;
    }
}

fn lock<D: Domain>(mutex: &Mutex<u32, D>) {
    for _ in 0..ITEMS {
        *poll(pin!(black_box(mutex).lock())) += 1;
    }
}

fn hand_over(runtime: &mut Runtime) {
    runtime.block_on(async {
        let (one, two) = (hands_over::spawn(SWITCHES / 2), hands_over::spawn(SWITCHES / 2));
        one.expect("a block").await.expect("no panic");
        two.expect("a block").await.expect("no panic");
    });
}

fn ping_pong(runtime: &mut Runtime) {
    runtime.block_on(async {
        let other = answers::spawn(SWITCHES).expect("a block");
        for _ in 0..SWITCHES {
            PING.notify_one();
            PONG.notified().await;
        }
        other.await.expect("no panic");
    });
}

fn main() {
    static CELL: RuntimeCell = RuntimeCell::new();
    let mut runtime = match CELL.start(Config::new()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    let local: Mutex<u32, Local> = Mutex::with_domain(0);
    let tasks: Mutex<u32, Tasks> = Mutex::new(0);
    let (rwlock, semaphore, notify) = (RwLock::new(0), Semaphore::new(1), Notify::new());
    let names = [
        "Local mutex, try_lock and unlock",
        "Local mutex, lock and unlock",
        "Tasks mutex, try_lock and unlock",
        "Tasks mutex, lock and unlock",
        "rwlock, read and release",
        "semaphore, acquire and release",
        "notify_one and notified",
        "mutex handed over between two tasks",
        "notify there and back, two tasks",
    ];
    let mut rows: [Vec<f64>; 9] = Default::default();
    for _ in 0..ROUNDS {
        rows[0].push(ns_per_item(ITEMS, || try_lock(&local)));
        rows[1].push(ns_per_item(ITEMS, || lock(&local)));
        rows[2].push(ns_per_item(ITEMS, || try_lock(&tasks)));
        rows[3].push(ns_per_item(ITEMS, || lock(&tasks)));
        rows[4].push(ns_per_item(ITEMS, || {
            for _ in 0..ITEMS {
                black_box(*poll(pin!(black_box(&rwlock).read())));
            }
        }));
        rows[5].push(ns_per_item(ITEMS, || {
            for _ in 0..ITEMS {
                let _permit = poll(pin!(black_box(&semaphore).acquire(1))).expect("open");
            }
        }));
        rows[6].push(ns_per_item(ITEMS, || {
            for _ in 0..ITEMS {
                black_box(&notify).notify_one();
                poll(pin!(notify.notified()));
            }
        }));
        rows[7].push(ns_per_item(SWITCHES, || hand_over(&mut runtime)));
        rows[8].push(ns_per_item(SWITCHES, || ping_pong(&mut runtime)));
    }
    println!("medians of {ROUNDS} interleaved rounds");
    for (name, row) in names.iter().zip(&mut rows) {
        println!("{name:38} {:6.1} ns", median(row));
    }
}
