//! Tasks that do nothing but begin, end and yield.

use crate::{run_for, yield_now};
use glommio::channels::local_channel::{LocalSender, new_bounded};
use peer_support::Work;

const BATCH: usize = 1000;
const YIELDERS: u64 = 32;

pub fn spawn_join(work: &Work) {
    run_for(work, async |items| {
        for value in 0..items {
            assert_eq!(glommio::spawn_local(async move { value }).await, value);
        }
    });
}

pub fn batch(work: &Work) {
    run_for(work, async |items| {
        let mut handles = Vec::with_capacity(BATCH);
        for _ in 0..items / BATCH as u64 {
            handles.extend((0..BATCH as u64).map(|value| glommio::spawn_local(async move { value })));
            for (value, handle) in (0..).zip(handles.drain(..)) {
                assert_eq!(handle.await, value);
            }
        }
    });
}

/// Starts the next one and ends. glommio runs a new task at once, inside the spawn, as far as it goes: without the yield
/// the chain would be a recursion, and overflow the stack.
fn link(last: LocalSender<()>, left: u64) {
    if left == 0 {
        last.try_send(()).expect("room");
    } else {
        glommio::spawn_local(async move {
            yield_now().await;
            link(last, left - 1);
        })
        .detach();
    }
}

pub fn chain(work: &Work) {
    run_for(work, async |items| {
        let (last, ended) = new_bounded(1);
        link(last, items);
        ended.recv().await.expect("the last one tells");
    });
}

pub fn yields(work: &Work) {
    run_for(work, async |items| {
        let mut handles = Vec::new();
        for _ in 0..YIELDERS {
            handles.push(glommio::spawn_local(async move {
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
