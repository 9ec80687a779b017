//! Tasks that do nothing but begin, end and yield. After tokio's own `benches/rt_*.rs`.

use crate::measured;
use peer_support::Work;
use tokio::sync::oneshot;
use tokio::task::yield_now;

const BATCH: usize = 1000;
const YIELDERS: usize = 32;

pub fn spawn_join(work: &Work) {
    measured!(work, |items| {
        for value in 0..items {
            assert_eq!(tokio::spawn(async move { value }).await.expect("no panic"), value);
        }
    });
}

pub fn batch(work: &Work) {
    measured!(work, |items| {
        let mut handles = Vec::with_capacity(BATCH);
        for _ in 0..items / BATCH as u64 {
            handles.extend((0..BATCH as u64).map(|value| tokio::spawn(async move { value })));
            for (value, handle) in (0..).zip(handles.drain(..)) {
                assert_eq!(handle.await.expect("no panic"), value);
            }
        }
    });
}

/// Starts the next one and ends; a function of its own, as tokio's benchmark has it.
fn link(last: oneshot::Sender<()>, left: u64) {
    if left == 0 {
        let _ = last.send(());
    } else {
        tokio::spawn(async move { link(last, left - 1) });
    }
}

pub fn chain(work: &Work) {
    measured!(work, |items| {
        let (last, ended) = oneshot::channel();
        tokio::spawn(async move { link(last, items) });
        ended.await.expect("the last one tells");
    });
}

pub fn yields(work: &Work) {
    measured!(work, |items| {
        let each = items / YIELDERS as u64;
        let mut handles = Vec::with_capacity(YIELDERS);
        for _ in 0..YIELDERS {
            handles.push(tokio::spawn(async move {
                for _ in 0..each {
                    yield_now().await;
                }
            }));
        }
        for handle in handles {
            handle.await.expect("no panic");
        }
    });
}
