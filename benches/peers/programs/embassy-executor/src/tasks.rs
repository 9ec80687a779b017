//! Tasks that do nothing but begin, end and yield.

use crate::{shared, workload};
use embassy_executor::Spawner;
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use std::cell::Cell;

const BATCH: usize = 1000;
const YIELDERS: usize = 32;

type Output = Signal<NoopRawMutex, u64>;

#[embassy_executor::task]
async fn identity(value: u64, output: &'static Output) {
    output.signal(value);
}

workload!(spawn_join, |spawner, items| {
    let output = shared(Output::new());
    for value in 0..items {
        spawner.spawn(identity(value, output).expect("a free one"));
        assert_eq!(output.wait().await, value);
    }
});

/// How many have not ended, and what the last one tells.
struct Group {
    left: Cell<u64>,
    last: Signal<NoopRawMutex, ()>,
}

impl Group {
    fn of(tasks: u64) -> &'static Self {
        shared(Self { left: Cell::new(tasks), last: Signal::new() })
    }

    fn end_one(&self) {
        self.left.set(self.left.get() - 1);
        if self.left.get() == 0 {
            self.last.signal(());
        }
    }
}

#[embassy_executor::task(pool_size = BATCH)]
async fn one_of_many(group: &'static Group) {
    group.end_one();
}

workload!(batch, |spawner, items| {
    let group = Group::of(0);
    for _ in 0..items / BATCH as u64 {
        group.left.set(BATCH as u64);
        for _ in 0..BATCH {
            spawner.spawn(one_of_many(group).expect("a free one"));
        }
        group.last.wait().await;
    }
});

/// Starts the next one and ends: embassy's `self_spawn.rs`.
#[embassy_executor::task(pool_size = 2)]
async fn link(spawner: Spawner, group: &'static Group) {
    group.end_one();
    if group.left.get() > 0 {
        spawner.spawn(link(spawner, group).expect("a free one"));
    }
}

workload!(chain, |spawner, items| {
    let group = Group::of(items);
    spawner.spawn(link(spawner, group).expect("a free one"));
    group.last.wait().await;
});

#[embassy_executor::task(pool_size = YIELDERS)]
async fn yielder(times: u64, group: &'static Group) {
    for _ in 0..times {
        yield_now().await;
    }
    group.end_one();
}

workload!(yields, |spawner, items| {
    let group = Group::of(YIELDERS as u64);
    for _ in 0..YIELDERS {
        spawner.spawn(yielder(items / YIELDERS as u64, group).expect("a free one"));
    }
    group.last.wait().await;
});
