//! Tasks that do nothing but begin, end and yield. After the crate's own `benches/executor.rs`.

use crate::{Executor, run_for};
use async_channel::Sender;
use futures_lite::future::yield_now;
use peer_support::Work;

const BATCH: usize = 1000;
const YIELDERS: u64 = 32;

pub fn spawn_join(work: &Work) {
    run_for(work, async |executor, items| {
        for value in 0..items {
            assert_eq!(executor.spawn(async move { value }).await, value);
        }
    });
}

pub fn batch(work: &Work) {
    run_for(work, async |executor, items| {
        let mut tasks = Vec::with_capacity(BATCH);
        for _ in 0..items / BATCH as u64 {
            tasks.extend((0..BATCH as u64).map(|value| executor.spawn(async move { value })));
            for (value, task) in (0..).zip(tasks.drain(..)) {
                assert_eq!(task.await, value);
            }
        }
    });
}

/// Starts the next one and ends.
fn link(executor: Executor, last: Sender<()>, left: u64) {
    if left == 0 {
        last.try_send(()).expect("room");
    } else {
        executor.spawn(async move { link(executor, last, left - 1) }).detach();
    }
}

pub fn chain(work: &Work) {
    run_for(work, async |executor, items| {
        let (last, ended) = async_channel::bounded(1);
        link(executor, last, items);
        ended.recv().await.expect("the last one tells");
    });
}

pub fn yields(work: &Work) {
    run_for(work, async |executor, items| {
        let mut tasks = Vec::new();
        for _ in 0..YIELDERS {
            tasks.push(executor.spawn(async move {
                for _ in 0..items / YIELDERS {
                    yield_now().await;
                }
            }));
        }
        for task in tasks {
            task.await;
        }
    });
}
