//! Values from task to task, and a value that all change. One thread, so the primitives are of its domain.

use crate::run_for;
use peer_support::Work;
use std::rc::Rc;
use unboxed::channel::Channel;
use unboxed::sync::{Local, Mutex};
use unboxed::yield_now;

type Queue<const N: usize> = Rc<Channel<u64, N, Local>>;

const CAPACITY: usize = 64;
const CONTENDERS: usize = 4;

#[unboxed::task(ops = 0, local)]
async fn answer(asked: Queue<1>, answered: Queue<1>, times: u64) {
    for _ in 0..times {
        let value = asked.recv().await.expect("open");
        answered.send(value).await.expect("open");
    }
}

pub fn ping_pong(work: &Work) {
    run_for(work, async |items| {
        let [asked, answered] = [Queue::<1>::default(), Queue::<1>::default()];
        let other = answer::spawn(asked.clone(), answered.clone(), items).expect("a block");
        for value in 0..items {
            asked.send(value).await.expect("open");
            assert_eq!(answered.recv().await, Ok(value));
        }
        other.await.expect("no panic");
    });
}

#[unboxed::task(ops = 0, local)]
async fn produce(queue: Queue<CAPACITY>, items: u64) {
    for value in 0..items {
        queue.send(value).await.expect("open");
    }
}

pub fn channel(work: &Work) {
    run_for(work, async |items| {
        let queue = Queue::<CAPACITY>::default();
        let producer = produce::spawn(queue.clone(), items).expect("a block");
        for value in 0..items {
            assert_eq!(queue.recv().await, Ok(value));
        }
        producer.await.expect("no panic");
    });
}

#[unboxed::task(pool = CONTENDERS, ops = 0, local)]
async fn contend(value: Rc<Mutex<u64, Local>>, times: u64) {
    for _ in 0..times {
        let mut value = value.lock().await;
        yield_now().await;
        *value += 1;
    }
}

pub fn mutex(work: &Work) {
    run_for(work, async |items| {
        let value = Rc::new(Mutex::with_domain(0));
        let each = items / CONTENDERS as u64;
        let contend = |_| contend::spawn(value.clone(), each).expect("a block");
        let handles: [_; CONTENDERS] = std::array::from_fn(contend);
        for handle in handles {
            handle.await.expect("no panic");
        }
        assert_eq!(*value.lock().await, each * CONTENDERS as u64);
    });
}
