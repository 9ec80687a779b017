//! Values from task to task, and a value that all change under a semaphore of one.

use crate::{pause, run_for};
use local_sync::mpsc::bounded;
use local_sync::semaphore::Semaphore;
use peer_support::Work;
use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;

const CAPACITY: usize = 64;
const CONTENDERS: u64 = 4;

pub fn ping_pong(work: &Work) {
    run_for(work, async |items| {
        let (asked, mut asked_end) = bounded::channel(1);
        let (answered, mut answered_end) = bounded::channel(1);
        let other = monoio::spawn(async move {
            while let Some(value) = asked_end.recv().await {
                answered.send(value).await.expect("open");
            }
        });
        for value in 0..items {
            asked.send(value).await.expect("open");
            assert_eq!(answered_end.recv().await, Some(value));
        }
        drop(asked);
        other.await;
    });
}

pub fn channel(work: &Work) {
    run_for(work, async |items| {
        let (sender, mut receiver) = bounded::channel(CAPACITY);
        let producer = monoio::spawn(async move {
            for value in 0..items {
                sender.send(value).await.expect("open");
            }
        });
        for value in 0..items {
            assert_eq!(receiver.recv().await, Some(value));
        }
        producer.await;
    });
}

pub fn mutex(work: &Work) {
    run_for(work, async |items| {
        let shared = Rc::new((Semaphore::new(1), Cell::new(0)));
        let first = shared.0.acquire().await.expect("open");
        let each = items / CONTENDERS;
        let mut handles = Vec::new();
        for _ in 0..CONTENDERS {
            let shared = shared.clone();
            handles.push(monoio::spawn(async move {
                for _ in 0..each {
                    let _permit = shared.0.acquire().await.expect("open");
                    pause(Waker::wake_by_ref).await;
                    shared.1.set(shared.1.get() + 1);
                }
            }));
        }
        // All wait before one has it. A task that wakes itself runs again before all others, so those who had not begun
        // would have no turn; those who wait for the lock miss none.
        monoio::spawn(async {}).await;
        drop(first);
        for handle in handles {
            handle.await;
        }
        assert_eq!(shared.1.get(), each * CONTENDERS);
    });
}
