//! Models of the read-write lock: readers against a writer, and one that goes.

use super::{RwLock, RwLockReadGuard, RwLockWriteGuard, Tasks, Write, give_back, step};
use crate::support_loom::{Plain, explore, poll_once, when_woken};
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Waker};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

type Shared = Arc<(RwLock<(), Tasks>, Plain)>;

fn shared() -> Shared {
    Arc::new((RwLock::with_domain(()), Plain::new(0)))
}

fn spawn<R: 'static>(shared: &Shared, run: impl FnOnce(Shared) -> R + 'static) -> thread::JoinHandle<R> {
    let shared = shared.clone();
    thread::spawn(move || run(shared))
}

async fn read(shared: &Shared) -> u32 {
    let _guard = shared.0.read().await;
    shared.1.get()
}

async fn write(shared: &Shared) {
    let _guard = shared.0.write().await;
    shared.1.set(shared.1.get() + 1);
}

#[test]
fn a_writer_excludes_readers() {
    explore(|| {
        let shared = shared();
        let reader = spawn(&shared, |shared| block_on(read(&shared)));
        block_on(write(&shared));
        assert!(reader.join().unwrap() <= 1);
        assert!(shared.0.try_write().is_some());
    });
}

#[test]
fn writers_exclude_each_other() {
    explore(|| {
        let shared = shared();
        let other = spawn(&shared, |shared| block_on(write(&shared)));
        block_on(write(&shared));
        other.join().unwrap();
        assert_eq!(block_on(read(&shared)), 2);
    });
}

/// A writer that goes lets in the reader that it held up, and passes on what it got.
#[test]
fn a_writer_that_goes_holds_up_nobody() {
    explore(|| {
        let shared = shared();
        let held = shared.0.try_read();
        let reader = spawn(&shared, |shared| block_on(read(&shared)));
        {
            let mut writer = pin!(shared.0.write());
            let _ = writer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        reader.join().unwrap();
        drop(held);
        assert!(shared.0.try_write().is_some());
    });
}

/// The seeded bug: a reader that goes out serves a writer while another still reads.
#[test]
#[should_panic]
fn the_last_reader_hands_over_not_the_first() {
    explore(|| {
        let shared = shared();
        let one = shared.0.try_read().unwrap();
        let writer = spawn(&shared, |shared| block_on(write(&shared)));
        if let Some(two) = shared.0.try_read() {
            one.unlock_as_the_last();
            shared.1.get();
            core::mem::forget(two);
        } else {
            drop(one);
        }
        writer.join().unwrap();
    });
}

fn a_served_writer_goes(go: fn(Pin<&Write<'_, (), Tasks>>)) {
    explore(move || {
        let shared = shared();
        let held = shared.0.try_read();
        let mut writer = pin!(shared.0.write());
        assert!(poll_once(writer.as_mut()).is_pending());
        let reader = spawn(&shared, |shared| drop(shared.0.try_read()));
        drop(held);
        go(writer.as_ref());
        reader.join().unwrap();
        assert!(shared.0.try_write().is_some(), "lost hand-over");
    });
}

/// The seeded bug: a writer that was let in goes as if it had not been.
#[test]
#[should_panic(expected = "lost hand-over")]
fn a_writer_that_goes_must_pass_it_on() {
    a_served_writer_goes(|writer| writer.leave_without_passing_on());
}

/// A reader that waits comes back into the lock when it is woken.
fn a_waker_comes_back(unlock: fn(RwLockWriteGuard<'_, (), Tasks>)) {
    explore(move || {
        let shared = shared();
        let guard = shared.0.try_write().expect("free");
        let mut reader = pin!(shared.0.read());
        let waker = {
            let shared = shared.clone();
            when_woken(move || drop(shared.0.try_read()))
        };
        assert!(reader.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        unlock(guard);
        assert!(poll_once(reader).is_ready());
    });
}

#[test]
fn a_waker_may_come_back() {
    a_waker_comes_back(|guard| drop(guard));
}

/// WAIT-2 broken.
#[test]
#[should_panic(expected = "maximum number of branches")]
fn a_wake_under_the_lock_does_not_end() {
    a_waker_comes_back(|guard| guard.unlock_waking_under_the_lock());
}

/// The seeded bugs.
impl RwLockWriteGuard<'_, (), Tasks> {
    fn unlock_waking_under_the_lock(self) {
        let lock = self.lock;
        core::mem::forget(self);
        lock.users.serve_under_the_lock(|inner| give_back(inner, super::WRITE), step);
    }
}

impl Write<'_, (), Tasks> {
    fn leave_without_passing_on(self: Pin<&Self>) {
        self.wait.waiter.leave(&self.wait.lock.users, |_, _| None);
    }
}

/// The seeded bug.
impl RwLockReadGuard<'_, (), Tasks> {
    fn unlock_as_the_last(self) {
        let lock = self.lock;
        core::mem::forget(self);
        lock.users.serve(|inner| inner.state = 0, super::step);
    }
}
