//! Tasks that do nothing but begin, end and yield.

use crate::run_for;
use peer_support::Work;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use unboxed::sync::Notify;
use unboxed::yield_now;

const BATCH: usize = 1000;
const YIELDERS: usize = 32;

#[unboxed::task(pool = BATCH, ops = 0)]
async fn identity(value: u64) -> u64 {
    value
}

pub fn spawn_join(work: &Work) {
    run_for(work, async |items| {
        for value in 0..items {
            assert_eq!(identity::spawn(value).expect("a block").await, Ok(value));
        }
    });
}

pub fn batch(work: &Work) {
    run_for(work, async |items| {
        let mut handles = Vec::with_capacity(BATCH);
        for _ in 0..items / BATCH as u64 {
            handles.extend((0..BATCH as u64).map(|value| identity::spawn(value).expect("a block")));
            for (value, handle) in (0..).zip(handles.drain(..)) {
                assert_eq!(handle.await, Ok(value));
            }
        }
    });
}

static LEFT: AtomicU64 = AtomicU64::new(0);
static LAST: Notify = Notify::new();

/// Starts the next one and ends.
#[unboxed::task(pool = 2, ops = 0, local)]
async fn link() {
    match LEFT.fetch_sub(1, Relaxed) {
        1 => LAST.notify_one(),
        _ => link::spawn().expect("a block").detach(),
    }
}

pub fn chain(work: &Work) {
    run_for(work, async |items| {
        LEFT.store(items, Relaxed);
        link::spawn().expect("a block").detach();
        LAST.notified().await;
    });
}

#[unboxed::task(pool = YIELDERS, ops = 0)]
async fn yielder(times: u64) {
    for _ in 0..times {
        yield_now().await;
    }
}

pub fn yields(work: &Work) {
    run_for(work, async |items| {
        let each = items / YIELDERS as u64;
        let handles: [_; YIELDERS] = std::array::from_fn(|_| yielder::spawn(each).expect("a block"));
        for handle in handles {
            handle.await.expect("no panic");
        }
    });
}
