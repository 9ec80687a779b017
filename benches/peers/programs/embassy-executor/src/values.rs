//! Values from task to task, and a value that all change. The tasks are of one executor, so the raw mutex is the one that
//! does nothing, as in embassy's `channel_sender_receiver.rs`.

use crate::{shared, workload};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use std::cell::Cell;

type Queue<const N: usize> = Channel<NoopRawMutex, u64, N>;
type Ended = Signal<NoopRawMutex, ()>;

const CAPACITY: usize = 64;
const CONTENDERS: usize = 4;

#[embassy_executor::task]
async fn answer(asked: &'static Queue<1>, answered: &'static Queue<1>, times: u64, ended: &'static Ended) {
    for _ in 0..times {
        answered.send(asked.receive().await).await;
    }
    ended.signal(());
}

workload!(ping_pong, |spawner, items| {
    let [asked, answered] = [shared(Queue::new()), shared(Queue::new())];
    let ended = shared(Ended::new());
    spawner.spawn(answer(asked, answered, items, ended).expect("a free one"));
    for value in 0..items {
        asked.send(value).await;
        assert_eq!(answered.receive().await, value);
    }
    ended.wait().await;
    yield_now().await;
});

#[embassy_executor::task]
async fn produce(queue: &'static Queue<CAPACITY>, items: u64, ended: &'static Ended) {
    for value in 0..items {
        queue.send(value).await;
    }
    ended.signal(());
}

workload!(channel, |spawner, items| {
    let (queue, ended) = (shared(Queue::new()), shared(Ended::new()));
    spawner.spawn(produce(queue, items, ended).expect("a free one"));
    for value in 0..items {
        assert_eq!(queue.receive().await, value);
    }
    ended.wait().await;
    yield_now().await;
});

struct Contended {
    value: Mutex<NoopRawMutex, u64>,
    left: Cell<usize>,
    ended: Ended,
}

#[embassy_executor::task(pool_size = CONTENDERS)]
async fn contend(all: &'static Contended, times: u64) {
    for _ in 0..times {
        let mut value = all.value.lock().await;
        yield_now().await;
        *value += 1;
    }
    all.left.set(all.left.get() - 1);
    if all.left.get() == 0 {
        all.ended.signal(());
    }
}

workload!(mutex, |spawner, items| {
    let all = Contended { value: Mutex::new(0), left: Cell::new(CONTENDERS), ended: Ended::new() };
    let all = shared(all);
    let each = items / CONTENDERS as u64;
    for _ in 0..CONTENDERS {
        spawner.spawn(contend(all, each).expect("a free one"));
    }
    all.ended.wait().await;
    yield_now().await;
    assert_eq!(*all.value.lock().await, each * CONTENDERS as u64);
});
