//! Models of the mutex, and through it of the wait list: exclusion, hand-over, and a waiter that goes.

use super::{Mutex, Tasks};
use crate::support_loom::{Plain, explore, poll_once};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

type Shared = Arc<(Mutex<(), Tasks>, Plain)>;

fn shared() -> Shared {
    Arc::new((Mutex::with_domain(()), Plain::new(0)))
}

async fn enter(shared: &Shared) {
    let guard = shared.0.lock().await;
    shared.1.set(1);
    drop(guard);
}

#[test]
fn two_exclude_each_other() {
    explore(|| {
        let shared = shared();
        let other = {
            let shared = shared.clone();
            thread::spawn(move || block_on(enter(&shared)))
        };
        block_on(enter(&shared));
        other.join().unwrap();
        assert!(shared.0.try_lock().is_some());
    });
}

/// A waiter that is dropped, perhaps served already, does not keep the mutex, nor stop who waits behind it.
#[test]
fn a_waiter_that_goes_passes_it_on() {
    explore(|| {
        let shared = shared();
        let other = {
            let shared = shared.clone();
            thread::spawn(move || block_on(enter(&shared)))
        };
        {
            let mut lock = pin!(shared.0.lock());
            let mut cx = Context::from_waker(Waker::noop());
            let _ = lock.as_mut().poll(&mut cx);
        }
        other.join().unwrap();
        assert!(shared.0.try_lock().is_some());
    });
}

/// The seeded bug: a waiter that was served goes as if it had not been.
#[test]
#[should_panic(expected = "lost hand-over")]
fn a_waiter_that_goes_must_pass_it_on() {
    explore(|| {
        let shared = shared();
        let guard = shared.0.try_lock();
        let mut lock = pin!(shared.0.lock());
        assert!(poll_once(lock.as_mut()).is_pending());
        let other = {
            let shared = shared.clone();
            thread::spawn(move || drop(shared.0.try_lock()))
        };
        drop(guard);
        lock.as_ref().leave_without_passing_on();
        other.join().unwrap();
        assert!(shared.0.try_lock().is_some(), "lost hand-over");
    });
}

/// An unlock that frees it instead of handing it over lets two in when the waiter also believes that it was
/// served: the seeded bug.
#[test]
#[should_panic]
fn a_served_waiter_needs_the_hand_over() {
    explore(|| {
        let shared = shared();
        let other = {
            let shared = shared.clone();
            thread::spawn(move || block_on(enter(&shared)))
        };
        let guard = shared.0.try_lock();
        if let Some(guard) = guard {
            shared.1.set(1);
            guard.unlock_without_hand_over();
            if let Some(second) = shared.0.try_lock() {
                shared.1.set(1);
                drop(second);
            }
        }
        other.join().unwrap();
    });
}
