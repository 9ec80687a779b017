//! Tasks that do nothing but begin, end and yield.

use crate::workload;
use embassy_executor::Spawner;
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const BATCH: usize = 1000;
const YIELDERS: usize = 32;

static OUTPUT: Signal<CriticalSectionRawMutex, u64> = Signal::new();
static LEFT: AtomicU64 = AtomicU64::new(0);

#[embassy_executor::task]
async fn identity(value: u64) {
    OUTPUT.signal(value);
}

workload!(spawn_join, |spawner, items| {
    for value in 0..items {
        spawner.spawn(identity(value).expect("a free one"));
        assert_eq!(OUTPUT.wait().await, value);
    }
});

#[embassy_executor::task(pool_size = BATCH)]
async fn one_of_many(value: u64) {
    if LEFT.fetch_sub(1, Relaxed) == 1 {
        OUTPUT.signal(value);
    }
}

workload!(batch, |spawner, items| {
    for _ in 0..items / BATCH as u64 {
        LEFT.store(BATCH as u64, Relaxed);
        for value in 0..BATCH as u64 {
            spawner.spawn(one_of_many(value).expect("a free one"));
        }
        OUTPUT.wait().await;
    }
});

/// Starts the next one and ends.
#[embassy_executor::task(pool_size = 2)]
async fn link(spawner: Spawner) {
    match LEFT.fetch_sub(1, Relaxed) {
        1 => OUTPUT.signal(0),
        _ => spawner.spawn(next_link(spawner)),
    }
}

/// Apart, since a task's function cannot name itself.
fn next_link(spawner: Spawner) -> embassy_executor::SpawnToken<impl Sized> {
    link(spawner).expect("a free one")
}

workload!(chain, |spawner, items| {
    LEFT.store(items, Relaxed);
    spawner.spawn(next_link(spawner));
    OUTPUT.wait().await;
});

#[embassy_executor::task(pool_size = YIELDERS)]
async fn yielder(times: u64) {
    for _ in 0..times {
        yield_now().await;
    }
    if LEFT.fetch_sub(1, Relaxed) == 1 {
        OUTPUT.signal(times);
    }
}

workload!(yields, |spawner, items| {
    LEFT.store(YIELDERS as u64, Relaxed);
    for _ in 0..YIELDERS {
        spawner.spawn(yielder(items / YIELDERS as u64).expect("a free one"));
    }
    OUTPUT.wait().await;
});
