//! Values from task to task, and a value that all change.

use crate::run_for;
use async_channel::bounded;
use async_lock::Mutex;
use futures_lite::future::yield_now;
use peer_support::Work;
use std::rc::Rc;

const CAPACITY: usize = 64;
const CONTENDERS: u64 = 4;

pub fn ping_pong(work: &Work) {
    run_for(work, async |executor, items| {
        let (asked, asked_end) = bounded(1);
        let (answered, answered_end) = bounded(1);
        let other = executor.spawn(async move {
            while let Ok(value) = asked_end.recv().await {
                answered.send(value).await.expect("open");
            }
        });
        for value in 0..items {
            asked.send(value).await.expect("open");
            assert_eq!(answered_end.recv().await, Ok(value));
        }
        drop(asked);
        other.await;
    });
}

pub fn channel(work: &Work) {
    run_for(work, async |executor, items| {
        let (sender, receiver) = bounded(CAPACITY);
        let producer = executor.spawn(async move {
            for value in 0..items {
                sender.send(value).await.expect("open");
            }
        });
        for value in 0..items {
            assert_eq!(receiver.recv().await, Ok(value));
        }
        producer.await;
    });
}

pub fn mutex(work: &Work) {
    run_for(work, async |executor, items| {
        let value = Rc::new(Mutex::new(0));
        let each = items / CONTENDERS;
        let mut tasks = Vec::new();
        for _ in 0..CONTENDERS {
            let value = value.clone();
            tasks.push(executor.spawn(async move {
                for _ in 0..each {
                    let mut value = value.lock().await;
                    yield_now().await;
                    *value += 1;
                }
            }));
        }
        for task in tasks {
            task.await;
        }
        assert_eq!(*value.lock().await, each * CONTENDERS);
    });
}
