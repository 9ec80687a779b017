//! Values from task to task, and a value that all change.

use crate::{run_for, yield_now};
use flume::bounded;
use peer_support::Work;
use std::rc::Rc;
use synchrony::unsync::mutex::Mutex;

const CAPACITY: usize = 64;
const CONTENDERS: u64 = 4;

pub fn ping_pong(work: &Work) {
    run_for(work, async |items| {
        let (asked, asked_end) = bounded(1);
        let (answered, answered_end) = bounded(1);
        let other = compio::runtime::spawn(async move {
            while let Ok(value) = asked_end.recv_async().await {
                answered.send_async(value).await.expect("open");
            }
        });
        for value in 0..items {
            asked.send_async(value).await.expect("open");
            assert_eq!(answered_end.recv_async().await, Ok(value));
        }
        drop(asked);
        other.await.expect("no panic");
    });
}

pub fn channel(work: &Work) {
    run_for(work, async |items| {
        let (sender, receiver) = bounded(CAPACITY);
        let producer = compio::runtime::spawn(async move {
            for value in 0..items {
                sender.send_async(value).await.expect("open");
            }
        });
        for value in 0..items {
            assert_eq!(receiver.recv_async().await, Ok(value));
        }
        producer.await.expect("no panic");
    });
}

pub fn mutex(work: &Work) {
    run_for(work, async |items| {
        let value = Rc::new(Mutex::new(0));
        let each = items / CONTENDERS;
        let mut tasks = Vec::new();
        for _ in 0..CONTENDERS {
            let value = value.clone();
            tasks.push(compio::runtime::spawn(async move {
                for _ in 0..each {
                    let mut value = value.lock().await;
                    yield_now().await;
                    *value += 1;
                }
            }));
        }
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(*value.lock().await, each * CONTENDERS);
    });
}
