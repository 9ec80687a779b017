//! The locks against tokio's, interleaved: uncontended, and handed over between two tasks of one thread.

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed_benches::{median, ns_per_item};

const ROUNDS: usize = 21;
const ITEMS: u32 = 500_000;
const SWITCHES: u32 = 100_000;

static HANDED: unboxed::sync::Mutex<u32> = unboxed::sync::Mutex::new(0);

#[unboxed::task(pool = 2, ops = 0)]
async fn hands_over(times: u32) {
    for _ in 0..times {
        let mut guard = HANDED.lock().await;
        *guard += 1;
        unboxed::yield_now().await;
    }
}

fn ours(runtime: &mut Runtime) {
    runtime.block_on(async {
        let (one, two) = (hands_over::spawn(SWITCHES / 2), hands_over::spawn(SWITCHES / 2));
        one.expect("a block").await.expect("no panic");
        two.expect("a block").await.expect("no panic");
    });
}

fn theirs(runtime: &tokio::runtime::Runtime) {
    let mutex = Arc::new(tokio::sync::Mutex::new(0));
    runtime.block_on(async {
        let [one, two] = [mutex.clone(), mutex].map(|mutex| {
            tokio::spawn(async move {
                for _ in 0..SWITCHES / 2 {
                    let mut guard = mutex.lock().await;
                    *guard += 1;
                    tokio::task::yield_now().await;
                }
            })
        });
        one.await.expect("no panic");
        two.await.expect("no panic");
    });
}

fn ready<F: Future>(future: Pin<&mut F>) -> F::Output {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nobody else has it"),
    }
}

/// Nanoseconds for each of many times.
fn times(mut once: impl FnMut()) -> f64 {
    ns_per_item(ITEMS, || (0..ITEMS).for_each(|_| once()))
}

fn main() {
    static CELL: RuntimeCell = RuntimeCell::new();
    let mut runtime = match CELL.start(Config::new()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    let tokio = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let our = (
        unboxed::sync::Mutex::new(0),
        unboxed::sync::RwLock::new(0),
        unboxed::sync::Semaphore::new(1),
        unboxed::sync::Notify::new(),
    );
    let their = (
        tokio::sync::Mutex::new(0),
        tokio::sync::RwLock::new(0),
        tokio::sync::Semaphore::new(1),
        tokio::sync::Notify::new(),
    );
    let mut rows: [[Vec<f64>; 2]; 5] = Default::default();
    for _ in 0..ROUNDS {
        rows[0][0].push(times(|| *ready(pin!(black_box(&our.0).lock())) += 1));
        rows[0][1].push(times(|| *ready(pin!(black_box(&their.0).lock())) += 1));
        rows[1][0].push(times(|| drop(ready(pin!(black_box(&our.1).read())))));
        rows[1][1].push(times(|| drop(ready(pin!(black_box(&their.1).read())))));
        rows[2][0].push(times(|| drop(ready(pin!(black_box(&our.2).acquire(1))).expect("open"))));
        rows[2][1].push(times(|| drop(ready(pin!(black_box(&their.2).acquire())).expect("open"))));
        rows[3][0].push(times(|| {
            black_box(&our.3).notify_one();
            ready(pin!(our.3.notified()));
        }));
        rows[3][1].push(times(|| {
            black_box(&their.3).notify_one();
            ready(pin!(their.3.notified()));
        }));
        rows[4][0].push(ns_per_item(SWITCHES, || ours(&mut runtime)));
        rows[4][1].push(ns_per_item(SWITCHES, || theirs(&tokio)));
    }
    println!("medians of {ROUNDS} interleaved rounds         unboxed     tokio");
    let names = ["mutex", "rwlock, read", "semaphore", "notify", "mutex handed over between two tasks"];
    for (name, [ours, theirs]) in names.iter().zip(&mut rows) {
        println!("{name:38} {:6.1} ns {:6.1} ns", median(ours), median(theirs));
    }
}
