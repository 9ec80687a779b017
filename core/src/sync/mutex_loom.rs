//! Models of the mutex, and through it of the wait list: exclusion, hand-over, and a waiter that goes.

use super::{Mutex, Tasks};
use crate::support_loom::{Plain, explore};
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
