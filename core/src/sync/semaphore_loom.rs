//! Models of the semaphore: release, close and cancel against acquire.

use super::{Acquire, CLOSED, Closed, Semaphore, Tasks};
use crate::support_loom::{Plain, explore, poll_once, when_woken};
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Waker};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

type Shared = Arc<(Semaphore<Tasks>, Plain)>;

fn shared(permits: u32) -> Shared {
    Arc::new((Semaphore::with_domain(permits), Plain::new(0)))
}

fn spawn<R: 'static>(shared: &Shared, run: impl FnOnce(Shared) -> R + 'static) -> thread::JoinHandle<R> {
    let shared = shared.clone();
    thread::spawn(move || run(shared))
}

async fn enter(shared: &Shared, permits: u32) {
    let permit = shared.0.acquire(permits).await.unwrap();
    shared.1.set(1);
    drop(permit);
}

#[test]
fn all_permits_exclude_and_come_back() {
    explore(|| {
        let shared = shared(2);
        let other = spawn(&shared, |shared| block_on(enter(&shared, 2)));
        block_on(enter(&shared, 2));
        other.join().unwrap();
        assert_eq!(shared.0.available(), 2);
    });
}

/// Whoever waits when it is closed, or comes later, is told; nobody sleeps on.
#[test]
fn close_reaches_every_acquire() {
    explore(|| {
        let shared = shared(0);
        let other = spawn(&shared, |shared| block_on(shared.0.acquire(1)).err());
        shared.0.close();
        assert_eq!(other.join().unwrap(), Some(Closed));
        assert_eq!(block_on(shared.0.acquire(1)).err(), Some(Closed));
    });
}

/// The seeded bug: who waits is told, but the mark comes in a second critical section.
#[test]
#[should_panic]
fn close_in_two_steps_leaves_one_behind() {
    explore(|| {
        let shared = shared(0);
        let closer = spawn(&shared, |shared| shared.0.close_in_two_steps());
        let mut cx = Context::from_waker(Waker::noop());
        let mut acquire = pin!(shared.0.acquire(1));
        let _ = acquire.as_mut().poll(&mut cx);
        closer.join().unwrap();
        assert!(acquire.as_mut().poll(&mut cx).is_ready());
    });
}

/// A dropped acquire passes on what it got, and lets through whom it held up.
#[test]
fn a_waiter_that_goes_gives_back() {
    explore(|| {
        let shared = shared(1);
        let other = spawn(&shared, |shared| block_on(enter(&shared, 1)));
        {
            let mut acquire = pin!(shared.0.acquire(1));
            let _ = acquire.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        other.join().unwrap();
        assert_eq!(shared.0.available(), 1);
    });
}

/// The seeded bug: a dropped acquire leaves the list, and forgets what it had been given.
#[test]
#[should_panic]
fn a_waiter_that_goes_must_give_back() {
    explore(|| {
        let shared = shared(0);
        let other = spawn(&shared, |shared| shared.0.add_permits(1));
        {
            let mut acquire = pin!(shared.0.acquire(1));
            let _ = acquire.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            acquire.as_ref().leave_without_giving_back();
        }
        other.join().unwrap();
        assert_eq!(shared.0.available(), 1);
    });
}

fn a_waker_comes_back(add: fn(&Semaphore<Tasks>)) {
    explore(move || {
        let shared = shared(0);
        let mut acquire = pin!(shared.0.acquire(1));
        let waker = {
            let shared = shared.clone();
            when_woken(move || drop(shared.0.try_acquire(1)))
        };
        assert!(acquire.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        add(&shared.0);
        assert!(poll_once(acquire).is_ready());
    });
}

#[test]
fn a_waker_may_come_back() {
    a_waker_comes_back(|semaphore| semaphore.add_permits(1));
}

/// WAIT-2 broken.
#[test]
#[should_panic(expected = "maximum number of branches")]
fn a_wake_under_the_lock_does_not_end() {
    a_waker_comes_back(|semaphore| {
        semaphore.state.serve_under_the_lock(|inner| inner.state.permits += 1, super::step);
    });
}

/// The seeded bugs.
impl Semaphore<Tasks> {
    fn close_in_two_steps(&self) {
        self.state
            .serve_before_the_change(|inner| inner.state.closed = true, |inner| inner.list.serve(CLOSED));
    }
}

impl Acquire<'_, Tasks> {
    fn leave_without_giving_back(self: Pin<&Self>) {
        self.waiter.leave(&self.semaphore.state, |_, _| None);
    }
}
