//! Models of the wait list: wakers that come back into the primitive, and batches.

use super::{Mutex, Semaphore, Tasks};
use crate::support_loom::{Plain, explore};
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Waker};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;
use std::task::Wake;

/// Asks for the mutex when it is woken, and when it is dropped.
struct ComesBack(Arc<Mutex<(), Tasks>>);

impl Wake for ComesBack {
    fn wake(self: std::sync::Arc<Self>) {
        drop(self.0.try_lock());
    }
}

impl Drop for ComesBack {
    fn drop(&mut self) {
        drop(self.0.try_lock());
    }
}

fn waits_with(waker: &Waker, lock: Pin<&mut impl Future>) -> bool {
    lock.poll(&mut Context::from_waker(waker)).is_pending()
}

/// A waker is woken, replaced and dropped outside the lock.
#[test]
fn a_waker_may_come_back() {
    explore(|| {
        let mutex = Arc::new(Mutex::<(), Tasks>::with_domain(()));
        let other = {
            let mutex = mutex.clone();
            thread::spawn(move || drop(block_on(mutex.lock())))
        };
        {
            let mut lock = pin!(mutex.lock());
            let waker = Waker::from(std::sync::Arc::new(ComesBack(mutex.clone())));
            if waits_with(&waker, lock.as_mut()) {
                drop(waker);
                waits_with(Waker::noop(), lock.as_mut());
            }
        }
        other.join().unwrap();
    });
}

/// The seeded bug: the waker is woken under the lock, and comes back: the model finds no way out.
#[test]
#[should_panic(expected = "maximum number of branches")]
fn a_wake_under_the_lock_does_not_end() {
    explore(|| {
        let mutex = Arc::new(Mutex::<(), Tasks>::with_domain(()));
        let guard = mutex.try_lock().unwrap();
        let mut lock = pin!(mutex.lock());
        let waker = Waker::from(std::sync::Arc::new(ComesBack(mutex.clone())));
        assert!(waits_with(&waker, lock.as_mut()));
        guard.unlock_waking_under_the_lock();
    });
}

/// Two served by one call, each through its own node, while one of them may go.
#[test]
fn two_are_served_at_once() {
    explore(|| {
        let shared = Arc::new((Semaphore::<Tasks>::with_domain(0), Plain::new(0)));
        let adder = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.1.set(1);
                shared.0.add_permits(2);
            })
        };
        let mut behind = pin!(shared.0.acquire(1));
        {
            let mut acquire = pin!(shared.0.acquire(1));
            let _ = waits_with(Waker::noop(), acquire.as_mut());
            let _ = waits_with(Waker::noop(), behind.as_mut());
        }
        block_on(behind).unwrap().forget();
        assert_eq!(shared.1.get(), 1);
        adder.join().unwrap();
        assert_eq!(shared.0.available(), 1);
    });
}
