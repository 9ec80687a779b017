//! Tasks that do nothing but begin, end and yield.

use crate::{run_for, yield_now};
use local_sync::oneshot;
use peer_support::Work;

const BATCH: usize = 1000;
const YIELDERS: u64 = 32;

pub fn spawn_join(work: &Work) {
    run_for(work, async |items| {
        for value in 0..items {
            assert_eq!(monoio::spawn(async move { value }).await, value);
        }
    });
}

pub fn batch(work: &Work) {
    run_for(work, async |items| {
        let mut handles = Vec::with_capacity(BATCH);
        for _ in 0..items / BATCH as u64 {
            handles.extend((0..BATCH as u64).map(|value| monoio::spawn(async move { value })));
            for (value, handle) in (0..).zip(handles.drain(..)) {
                assert_eq!(handle.await, value);
            }
        }
    });
}

/// Starts the next one and ends.
fn link(last: oneshot::Sender<()>, left: u64) {
    if left == 0 {
        let _ = last.send(());
    } else {
        monoio::spawn(async move { link(last, left - 1) });
    }
}

pub fn chain(work: &Work) {
    run_for(work, async |items| {
        let (last, ended) = oneshot::channel();
        link(last, items);
        ended.await.expect("the last one tells");
    });
}

pub fn yields(work: &Work) {
    run_for(work, async |items| {
        let mut handles = Vec::new();
        for _ in 0..YIELDERS {
            handles.push(monoio::spawn(async move {
                for _ in 0..items / YIELDERS {
                    yield_now().await;
                }
            }));
        }
        for handle in handles {
            handle.await;
        }
    });
}
