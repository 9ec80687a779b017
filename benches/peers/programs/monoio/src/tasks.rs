//! Tasks that do nothing but begin, end and yield.

use crate::{pause, run, run_for};
use local_sync::oneshot;
use peer_support::{Work, measure};
use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

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

thread_local! {
    /// Who yielded, and the task that wakes them while it sleeps.
    static YIELDED: RefCell<(Vec<Waker>, Option<Waker>)> = const { RefCell::new((Vec::new(), None)) };
}

/// monoio 0.2.4 has none, and a task that wakes itself runs again before all others, so that nobody has a turn in between.
/// (Its authors have changed that since.) Those who yield are woken by a task of their own, behind whatever is ready.
async fn yield_now() {
    pause(|waker| {
        YIELDED.with_borrow_mut(|(yielders, sleeper)| {
            yielders.push(waker.clone());
            sleeper.take().into_iter().for_each(Waker::wake);
        });
    })
    .await;
}

async fn wake_yielders() {
    poll_fn(|cx| {
        YIELDED.with_borrow_mut(|(yielders, sleeper)| {
            yielders.drain(..).for_each(Waker::wake);
            *sleeper = Some(cx.waker().clone());
        });
        Poll::Pending
    })
    .await
}

pub fn yields(work: &Work) {
    let yields = async |items| {
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
    };
    run(async {
        drop(monoio::spawn(wake_yielders()));
        measure(work, yields).await;
        YIELDED.take();
    });
}
