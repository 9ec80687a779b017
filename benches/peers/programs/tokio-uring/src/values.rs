//! Values from task to task, and a value that all change.

use crate::run_for;
use peer_support::Work;
use std::rc::Rc;
use tokio::sync::{Mutex, mpsc};
use tokio::task::yield_now;

const CAPACITY: usize = 64;
const CONTENDERS: u64 = 4;

pub fn ping_pong(work: &Work) {
    run_for(work, async |items| {
        let (asked, mut asked_end) = mpsc::channel(1);
        let (answered, mut answered_end) = mpsc::channel(1);
        let other = tokio_uring::spawn(async move {
            while let Some(value) = asked_end.recv().await {
                answered.send(value).await.expect("open");
            }
        });
        for value in 0..items {
            asked.send(value).await.expect("open");
            assert_eq!(answered_end.recv().await, Some(value));
        }
        drop(asked);
        other.await.expect("no panic");
    });
}

pub fn channel(work: &Work) {
    run_for(work, async |items| {
        let (sender, mut receiver) = mpsc::channel(CAPACITY);
        let producer = tokio_uring::spawn(async move {
            for value in 0..items {
                sender.send(value).await.expect("open");
            }
        });
        for value in 0..items {
            assert_eq!(receiver.recv().await, Some(value));
        }
        producer.await.expect("no panic");
    });
}

pub fn mutex(work: &Work) {
    run_for(work, async |items| {
        let value = Rc::new(Mutex::new(0));
        let each = items / CONTENDERS;
        let mut handles = Vec::new();
        for _ in 0..CONTENDERS {
            let value = value.clone();
            handles.push(tokio_uring::spawn(async move {
                for _ in 0..each {
                    let mut value = value.lock().await;
                    yield_now().await;
                    *value += 1;
                }
            }));
        }
        for handle in handles {
            handle.await.expect("no panic");
        }
        assert_eq!(*value.lock().await, each * CONTENDERS);
    });
}
