//! Values from task to task, and a value that all change. The raw mutex is that of one thread where statics allow it:
//! they do not, so these take critical sections, as statics of embassy's examples do.

use crate::workload;
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

type Raw = CriticalSectionRawMutex;

const CAPACITY: usize = 64;
const CONTENDERS: usize = 4;

static ASKED: Channel<Raw, u64, 1> = Channel::new();
static ANSWERED: Channel<Raw, u64, 1> = Channel::new();
static QUEUE: Channel<Raw, u64, CAPACITY> = Channel::new();
static VALUE: Mutex<Raw, u64> = Mutex::new(0);
static LEFT: AtomicU64 = AtomicU64::new(0);
static ENDED: Signal<Raw, ()> = Signal::new();

#[embassy_executor::task]
async fn answer(times: u64) {
    for _ in 0..times {
        ANSWERED.send(ASKED.receive().await).await;
    }
    ENDED.signal(());
}

workload!(ping_pong, |spawner, items| {
    spawner.spawn(answer(items).expect("a free one"));
    for value in 0..items {
        ASKED.send(value).await;
        assert_eq!(ANSWERED.receive().await, value);
    }
    ENDED.wait().await;
    yield_now().await;
});

#[embassy_executor::task]
async fn produce(items: u64) {
    for value in 0..items {
        QUEUE.send(value).await;
    }
    ENDED.signal(());
}

workload!(channel, |spawner, items| {
    spawner.spawn(produce(items).expect("a free one"));
    for value in 0..items {
        assert_eq!(QUEUE.receive().await, value);
    }
    ENDED.wait().await;
    yield_now().await;
});

#[embassy_executor::task(pool_size = CONTENDERS)]
async fn contend(times: u64) {
    for _ in 0..times {
        let mut value = VALUE.lock().await;
        yield_now().await;
        *value += 1;
    }
    if LEFT.fetch_sub(1, Relaxed) == 1 {
        ENDED.signal(());
    }
}

workload!(mutex, |spawner, items| {
    LEFT.store(CONTENDERS as u64, Relaxed);
    let before = *VALUE.lock().await;
    for _ in 0..CONTENDERS {
        spawner.spawn(contend(items / CONTENDERS as u64).expect("a free one"));
    }
    ENDED.wait().await;
    yield_now().await;
    assert_eq!(*VALUE.lock().await, before + items / CONTENDERS as u64 * CONTENDERS as u64);
});
