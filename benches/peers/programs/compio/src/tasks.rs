//! Tasks that do nothing but begin, end and yield.

use crate::{run_for, yield_now};
use peer_support::Work;

const BATCH: usize = 1000;
const YIELDERS: u64 = 32;

pub fn spawn_join(work: &Work) {
    run_for(work, async |items| {
        for value in 0..items {
            assert_eq!(compio::runtime::spawn(async move { value }).await.expect("no panic"), value);
        }
    });
}

pub fn batch(work: &Work) {
    run_for(work, async |items| {
        let mut handles = Vec::with_capacity(BATCH);
        for _ in 0..items / BATCH as u64 {
            handles.extend((0..BATCH as u64).map(|value| compio::runtime::spawn(async move { value })));
            for (value, handle) in (0..).zip(handles.drain(..)) {
                assert_eq!(handle.await.expect("no panic"), value);
            }
        }
    });
}

/// Starts the next one and ends.
fn link(last: flume::Sender<()>, left: u64) {
    if left == 0 {
        last.send(()).expect("open");
    } else {
        compio::runtime::spawn(async move { link(last, left - 1) }).detach();
    }
}

pub fn chain(work: &Work) {
    run_for(work, async |items| {
        let (last, ended) = flume::bounded(1);
        link(last, items);
        ended.recv_async().await.expect("the last one tells");
    });
}

pub fn yields(work: &Work) {
    run_for(work, async |items| {
        let mut handles = Vec::new();
        for _ in 0..YIELDERS {
            handles.push(compio::runtime::spawn(async move {
                for _ in 0..items / YIELDERS {
                    yield_now().await;
                }
            }));
        }
        for handle in handles {
            handle.await.expect("no panic");
        }
    });
}
