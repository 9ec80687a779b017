//! Models of the completer: either side goes at any time, and a late one meets nobody.

use super::{Completer, Completion, Completions, Inner, Phase, State};
use crate::channel::{RecvError, SendError};
use crate::support_loom::{explore, poll_once, when_woken};
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

/// A static in real life; leaked for the model, which is small.
fn places() -> Arc<Completions<u32, 1>> {
    Arc::new(Completions::with_domain())
}

type Fire = fn(Completer<'_, u32>, u32) -> Result<(), SendError<u32>>;

/// SAFETY contract of the models: the thread is joined before `places` goes.
fn extend<'a>(completer: Completer<'_, u32>) -> Completer<'a, u32> {
    // SAFETY: see above.
    unsafe { core::mem::transmute(completer) }
}

#[test]
fn a_completion_learns_of_a_fire_or_a_drop() {
    for fires in [true, false] {
        explore(move || {
            let places = places();
            let (completer, completion) = places.completion().expect("free");
            let completer = extend(completer);
            let other = thread::spawn(move || {
                if fires {
                    completer.fire(3).expect("somebody waits");
                }
            });
            assert_eq!(block_on(completion), if fires { Ok(3) } else { Err(RecvError::Closed) });
            other.join().unwrap();
            assert_eq!(places.used(), 0);
        });
    }
}

/// The future goes and its place is used again while the first completer fires.
fn a_late_fire(fire: Fire) {
    explore(move || {
        let places = places();
        let (first, completion) = places.completion().expect("free");
        let first = extend(first);
        let other = thread::spawn(move || fire(first, 1).is_ok());
        {
            let mut completion = pin!(completion);
            let _ = completion.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        let (second, completion) = places.completion().expect("free again");
        other.join().unwrap();
        let fired = second.fire(2);
        let mut completion = pin!(completion);
        let got = completion.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!((fired, got), (Ok(()), Poll::Ready(Ok(2))), "another one's value");
    });
}

#[test]
fn a_late_fire_meets_nobody() {
    a_late_fire(|completer, value| completer.fire(value));
}

/// EXT-1 broken.
#[test]
#[should_panic(expected = "another one's value")]
fn a_late_fire_without_a_generation_hits_the_next() {
    a_late_fire(|completer, value| completer.fire_whatever_is_there(value));
}

/// A cancel against a fire: the value comes, or goes back to the completer.
fn a_cancel_against_a_fire(cancel: fn(Pin<&mut Completion<'_, u32>>)) {
    explore(move || {
        let places = places();
        let (completer, completion) = places.completion().expect("free");
        let completer = extend(completer);
        let other = thread::spawn(move || completer.fire(3));
        let mut completion = pin!(completion);
        let mut got = poll_once(completion.as_mut());
        if got.is_pending() {
            cancel(completion.as_mut());
            got = poll_once(completion);
        }
        let both = (other.join().unwrap(), got);
        let right = [
            (Ok(()), Poll::Ready(Ok(3))),
            (Err(SendError::Closed(3)), Poll::Ready(Err(RecvError::Cancelled))),
        ];
        assert!(right.contains(&both), "lost value: {both:?}");
    });
}

#[test]
fn a_cancel_loses_no_value() {
    a_cancel_against_a_fire(|completion| completion.withdraw());
}

#[test]
#[should_panic(expected = "lost value")]
fn a_cancel_that_does_not_look_loses_the_value() {
    a_cancel_against_a_fire(|completion| completion.withdraw_whatever_came());
}

fn a_completer_goes(go: fn(Completer<'_, u32>)) {
    explore(move || {
        let places = places();
        let (completer, completion) = places.completion().expect("free");
        let completer = extend(completer);
        let other = thread::spawn(move || go(completer));
        let woken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let waker = {
            let woken = woken.clone();
            when_woken(move || woken.store(true, std::sync::atomic::Ordering::SeqCst))
        };
        let mut completion = pin!(completion);
        let ready = completion.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        other.join().unwrap();
        assert!(ready || woken.load(std::sync::atomic::Ordering::SeqCst), "lost wake");
    });
}

#[test]
fn a_completer_that_goes_tells() {
    a_completer_goes(|completer| drop(completer));
}

#[test]
#[should_panic(expected = "lost wake")]
fn a_completer_that_tells_before_it_goes_forgets_one() {
    a_completer_goes(|completer| completer.go_too_late());
}

fn a_waker_comes_back(go: fn(Completer<'_, u32>)) {
    explore(move || {
        let places = places();
        let (completer, completion) = places.completion().expect("free");
        let waker = {
            let places = places.clone();
            when_woken(move || assert!(places.completion().is_none() && places.used() == 1))
        };
        let mut completion = pin!(completion);
        assert!(completion.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        go(completer);
        assert_eq!(poll_once(completion), Poll::Ready(Err(RecvError::Closed)));
    });
}

#[test]
fn a_waker_may_come_back() {
    a_waker_comes_back(|completer| drop(completer));
}

/// WAIT-2 broken.
#[test]
#[should_panic(expected = "maximum number of branches")]
fn a_wake_under_the_lock_does_not_end() {
    a_waker_comes_back(|completer| completer.go_waking_under_the_lock());
}

/// The seeded bugs.
impl<T> Completer<'_, T> {
    /// A seeded bug: does not look at the generation.
    fn fire_whatever_is_there(mut self, value: T) -> Result<(), SendError<T>> {
        self.generation = self.place.with(|inner| inner.state.generation);
        self.fire(value)
    }

    /// A seeded bug: tells the future that nothing comes, and goes in a second step.
    fn go_too_late(self) {
        self.place.serve_before_the_change(
            |inner| inner.state.phase = Phase::Abandoned,
            |inner| inner.list.serve(0),
        );
        core::mem::forget(self);
    }

    /// WAIT-2 broken.
    fn go_waking_under_the_lock(self) {
        let go = |inner: &mut Inner<State<T>>| inner.state.phase = Phase::Abandoned;
        self.place.serve_under_the_lock(go, |inner| inner.list.serve(0));
        core::mem::forget(self);
    }
}

impl<T> Completion<'_, T> {
    /// A seeded bug: does not look whether it has ended already.
    fn withdraw_whatever_came(self: Pin<&mut Self>) {
        let this = self.into_ref().get_ref();
        this.waiter.withdraw(this.place, Inner::list);
        this.place.with(|inner| inner.state.phase = Phase::Cancelled);
    }
}
