//! The locks and channels: alone, and between two tasks of one worker.

use super::CALLS;
use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use unboxed::JoinHandle;
use unboxed::channel::{Channel, Watch};
use unboxed::rt::Runtime;
use unboxed::sync::{Local, Mutex, Notify, RwLock, Semaphore};
use unboxed::yield_now;

static HANDED: Mutex<u32> = Mutex::new(0);
static PING: Notify = Notify::new();
static PONG: Notify = Notify::new();
static THERE: Channel<u32, 1> = Channel::new();
static BACK: Channel<u32, 1> = Channel::new();

fn ready<F: Future>(future: Pin<&mut F>) -> F::Output {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nobody else has it"),
    }
}

/// Lock and unlock, within one thread.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_local(mutex: &Mutex<u32, Local>) {
    for _ in 0..CALLS {
        *ready(pin!(black_box(mutex).lock())) += 1;
    }
}

/// Lock and unlock.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_mutex(mutex: &Mutex<u32>) {
    for _ in 0..CALLS {
        *ready(pin!(black_box(mutex).lock())) += 1;
    }
}

/// Read and release.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_rwlock(lock: &RwLock<u32>) {
    for _ in 0..CALLS {
        black_box(*ready(pin!(black_box(lock).read())));
    }
}

/// Acquire and release.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_semaphore(semaphore: &Semaphore) {
    for _ in 0..CALLS {
        drop(ready(pin!(black_box(semaphore).acquire(1))));
    }
}

/// Tell, and be told.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_notify(notify: &Notify) {
    for _ in 0..CALLS {
        black_box(notify).notify_one();
        ready(pin!(notify.notified()));
    }
}

/// Send, see the change, read.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_watch(watch: &Watch<u32>) {
    let mut watcher = watch.watcher();
    for value in 0..CALLS {
        black_box(watch).send(value).expect("open");
        ready(pin!(watcher.changed())).expect("open");
        assert_eq!(watcher.read(|value| *value), value);
    }
}

#[unboxed::task(pool = 2, ops = 0)]
async fn takes_turns() {
    for _ in 0..CALLS / 2 {
        let guard = HANDED.lock().await;
        yield_now().await;
        drop(guard);
    }
}

#[unboxed::task(ops = 0)]
async fn answers() {
    for _ in 0..CALLS {
        PING.notified().await;
        PONG.notify_one();
    }
}

#[unboxed::task(ops = 0)]
async fn asks() {
    for _ in 0..CALLS {
        PING.notify_one();
        PONG.notified().await;
    }
}

#[unboxed::task(ops = 0)]
async fn echoes() {
    for _ in 0..CALLS {
        let value = THERE.recv().await.expect("open");
        BACK.send(value).await.expect("open");
    }
}

#[unboxed::task(ops = 0)]
async fn sends() {
    for value in 0..CALLS {
        THERE.send(value).await.expect("open");
        assert_eq!(BACK.recv().await, Ok(value));
    }
}

fn both(runtime: &mut Runtime, spawn: impl FnOnce() -> [JoinHandle<()>; 2]) {
    runtime.block_on(async {
        for task in spawn() {
            task.await.expect("a task");
        }
    });
}

/// A mutex that each of two tasks holds until the other waits.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_handed(runtime: &mut Runtime) {
    both(runtime, || [(); 2].map(|()| takes_turns::spawn().expect("a block")));
}

/// One task tells another, and is told.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_told(runtime: &mut Runtime) {
    both(runtime, || [answers::spawn().expect("a block"), asks::spawn().expect("a block")]);
}

/// A value there and one back between two tasks.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_channel(runtime: &mut Runtime) {
    both(runtime, || [echoes::spawn().expect("a block"), sends::spawn().expect("a block")]);
}

pub fn count_all(runtime: &mut Runtime) {
    count_local(&Mutex::with_domain(0));
    count_mutex(&Mutex::new(0));
    count_rwlock(&RwLock::new(0));
    count_semaphore(&Semaphore::new(1));
    count_notify(&Notify::new());
    count_watch(&Watch::new(0));
    count_handed(runtime);
    count_told(runtime);
    count_channel(runtime);
}
