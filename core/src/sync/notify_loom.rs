//! Models of notify: a wake is neither lost nor doubled, whoever goes meanwhile.

use super::{Notified, Notify, Tasks};
use crate::support_loom::{Plain, explore, poll_once, when_woken};
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Waker};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

type Shared = Arc<(Notify<Tasks>, Plain)>;

fn shared() -> Shared {
    Arc::new((Notify::with_domain(), Plain::new(0)))
}

fn spawn<R: 'static>(shared: &Shared, run: impl FnOnce(Shared) -> R + 'static) -> thread::JoinHandle<R> {
    let shared = shared.clone();
    thread::spawn(move || run(shared))
}

/// What was written before the call is seen by whoever was told.
#[test]
fn one_is_told_and_sees() {
    explore(|| {
        let shared = shared();
        let other = spawn(&shared, |shared| {
            block_on(shared.0.notified());
            shared.1.get()
        });
        shared.1.set(1);
        shared.0.notify_one();
        assert_eq!(other.join().unwrap(), 1);
    });
}

/// Of two that wait one is dropped, told or not: the one call reaches the other.
#[test]
fn a_told_one_that_goes_passes_it_on() {
    explore(|| {
        let shared = shared();
        let teller = spawn(&shared, |shared| shared.0.notify_one());
        let mut behind = pin!(shared.0.notified());
        {
            let mut cx = Context::from_waker(Waker::noop());
            let mut notified = pin!(shared.0.notified());
            if notified.as_mut().poll(&mut cx).is_ready() {
                // It is ours, and is used up: tell the other.
                shared.0.notify_one();
            }
            if behind.as_mut().poll(&mut cx).is_ready() {
                shared.0.notify_one();
            }
        }
        block_on(behind);
        teller.join().unwrap();
    });
}

/// The seeded bug: it is dropped as if nobody had told it.
#[test]
#[should_panic]
fn a_told_one_that_goes_must_pass_it_on() {
    explore(|| {
        let shared = shared();
        let teller = spawn(&shared, |shared| shared.0.notify_one());
        {
            let mut notified = pin!(shared.0.notified());
            if notified.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                shared.0.notify_one();
            }
            notified.as_ref().leave_without_passing_on();
        }
        teller.join().unwrap();
        let mut next = pin!(shared.0.notified());
        assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    });
}

/// Who made its future before the call is told, polled or not.
#[test]
fn all_are_told() {
    explore(|| {
        let shared = shared();
        let notified = shared.0.notified();
        let other = spawn(&shared, |shared| shared.0.notify_all());
        block_on(notified);
        other.join().unwrap();
    });
}

/// A call for one, within a call for all, is for somebody who came later, or is stored.
#[test]
fn one_is_not_swallowed_by_all() {
    explore(|| {
        let shared = shared();
        let mut early = pin!(shared.0.notified());
        assert!(early.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let all = spawn(&shared, |shared| shared.0.notify_all());
        all.join().unwrap();
        let one = spawn(&shared, |shared| shared.0.notify_one());
        block_on(early);
        block_on(shared.0.notified());
        one.join().unwrap();
    });
}

fn all_against_one_who_comes(tell: fn(&Notify<Tasks>)) {
    explore(move || {
        let shared = shared();
        let notified = shared.0.notified();
        let other = spawn(&shared, move |shared| tell(&shared.0));
        let mut notified = pin!(notified);
        let _ = poll_once(notified.as_mut());
        other.join().unwrap();
        assert!(poll_once(notified).is_ready(), "lost wake");
    });
}

#[test]
fn all_reach_one_who_comes_meanwhile() {
    all_against_one_who_comes(Notify::notify_all);
}

/// The seeded bug: those who wait are told, and the round is counted in a second step.
#[test]
#[should_panic(expected = "lost wake")]
fn a_round_counted_late_misses_one_who_comes() {
    all_against_one_who_comes(|notify| {
        let tell = |inner: &mut super::Inner<super::State>| inner.list.serve(super::BY_ALL);
        notify.state.serve_before_the_change(|_| (), tell);
        notify.round.fetch_add(1, crate::atomics::Ordering::Relaxed);
    });
}

fn a_waker_comes_back(tell: fn(&Notify<Tasks>)) {
    explore(move || {
        let shared = shared();
        let mut notified = pin!(shared.0.notified());
        let waker = {
            let shared = shared.clone();
            when_woken(move || shared.0.notify_one())
        };
        assert!(notified.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        tell(&shared.0);
        assert!(poll_once(notified).is_ready());
        assert!(poll_once(pin!(shared.0.notified())).is_ready(), "its waker's was stored");
    });
}

#[test]
fn a_waker_may_come_back() {
    a_waker_comes_back(Notify::notify_one);
}

/// WAIT-2 broken.
#[test]
#[should_panic(expected = "maximum number of branches")]
fn a_wake_under_the_lock_does_not_end() {
    a_waker_comes_back(|notify| {
        let one = core::cell::Cell::new(true);
        notify.state.serve_under_the_lock(|_| (), |inner| super::step_one(inner, &one));
    });
}

/// The seeded bug.
impl Notified<'_, Tasks> {
    fn leave_without_passing_on(self: Pin<&Self>) {
        self.waiter.leave(&self.notify.state, |_, _| None);
    }
}
