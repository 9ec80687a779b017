//! Values from task to task, and a value that all change under a semaphore of one.

use crate::{run_for, yield_now};
use glommio::channels::local_channel::new_bounded;
use glommio::sync::Semaphore;
use peer_support::Work;
use std::cell::Cell;
use std::rc::Rc;

const CAPACITY: usize = 64;
const CONTENDERS: u64 = 4;

pub fn ping_pong(work: &Work) {
    run_for(work, async |items| {
        let (asked, asked_end) = new_bounded(1);
        let (answered, answered_end) = new_bounded(1);
        let other = glommio::spawn_local(async move {
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
        let (sender, receiver) = new_bounded(CAPACITY);
        let producer = glommio::spawn_local(async move {
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
        let each = items / CONTENDERS;
        let mut handles = Vec::new();
        for _ in 0..CONTENDERS {
            let shared = shared.clone();
            handles.push(glommio::spawn_local(async move {
                for _ in 0..each {
                    let _permit = shared.0.acquire_permit(1).await.expect("open");
                    yield_now().await;
                    shared.1.set(shared.1.get() + 1);
                }
            }));
        }
        for handle in handles {
            handle.await;
        }
        assert_eq!(shared.1.get(), each * CONTENDERS);
    });
}
