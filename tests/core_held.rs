//! A task that has just gone pending, whose step its worker has put off, and a join that took no step.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use unboxed::exec::Budget;
use unboxed::task::{yield_if_due, yield_now};
use unboxed_tests::{Drops, body, lab, settle};

/// A task that waits, and leaves its waker: what it does when it is polled, for [`body`].
async fn parks(waker: Arc<Mutex<Option<Waker>>>, polls: Arc<AtomicU32>) -> u64 {
    poll_fn(|cx| {
        *waker.lock().unwrap() = Some(cx.waker().clone());
        if polls.fetch_add(1, Ordering::Relaxed) == 0 { Poll::Pending } else { Poll::Ready(7) }
    })
    .await
}

/// Wakes from another thread, and is back when that is done.
fn wake_from_outside(waker: &Mutex<Option<Waker>>) {
    let waker = waker.lock().unwrap().clone().expect("it has parked");
    thread::spawn(move || waker.wake()).join().unwrap();
}

/// The second task is polled while the first one is held, and does something to its waker; the first one is polled again
/// all the same. A macro, as each test has statics of its own.
macro_rules! is_polled_again {
    ($then:expr) => {
        lab!(ex, script, run, pool = 2, ops = 1);
        let (waker, polls) = (Arc::default(), Arc::<AtomicU32>::default());
        let first = ex.enter(|| run::spawn(body(parks(Arc::clone(&waker), Arc::clone(&polls))))).unwrap();
        let second = ex.enter(|| {
            run::spawn(body(async move {
                let then: fn(&Mutex<Option<Waker>>) = $then;
                then(&waker);
                8
            }))
        });
        let ended = catch_unwind(AssertUnwindSafe(|| settle(&mut ex)));
        if ended.is_err() {
            settle(&mut ex);
        }
        assert_eq!(polls.load(Ordering::Relaxed), 2, "polls of the first one");
        assert_eq!(ex.block_on(first), Ok(7));
        drop(second);
    };
}

#[test]
fn a_wake_from_another_thread_during_the_next_poll_is_not_lost() {
    is_polled_again!(wake_from_outside);
}

#[test]
fn a_wake_from_the_next_poll_is_not_lost() {
    is_polled_again!(|waker| waker.lock().unwrap().as_ref().unwrap().wake_by_ref());
}

#[test]
fn a_wake_from_here_and_from_another_thread_is_one_poll() {
    is_polled_again!(|waker| {
        waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
        wake_from_outside(waker);
    });
}

#[test]
fn a_wake_from_another_thread_and_from_here_is_one_poll() {
    is_polled_again!(|waker| {
        wake_from_outside(waker);
        waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
    });
}

#[test]
fn a_wake_before_the_next_poll_panics_is_not_lost() {
    is_polled_again!(|waker| {
        wake_from_outside(waker);
        panic!("the second one");
    });
}

#[test]
fn a_wake_within_block_in_place_is_not_lost() {
    is_polled_again!(|waker| {
        unboxed::exec::block_in_place(|| waker.lock().unwrap().as_ref().unwrap().wake_by_ref());
    });
}

#[test]
fn an_abort_during_the_next_poll_is_not_lost() {
    lab!(ex, script, run, pool = 2, ops = 1);
    let waker = Arc::default();
    let first = ex.enter(|| run::spawn(body(parks(waker, Arc::default())))).unwrap();
    let abort = first.abort_handle();
    let second = ex.enter(|| {
        run::spawn(body(async move {
            thread::spawn(move || abort.abort()).join().unwrap();
            8
        }))
    });
    settle(&mut ex);
    assert!(first.is_finished());
    assert!(ex.block_on(first).is_err());
    drop(second);
}

/// As a message in the inbox would: whoever computes for long lets it come.
#[test]
fn a_held_task_that_is_woken_ends_the_slice_of_the_next_poll() {
    lab!(ex, script, run, pool = 2, ops = 1);
    let (waker, polls) = (Arc::default(), Arc::<AtomicU32>::default());
    let first = ex.enter(|| run::spawn(body(parks(Arc::clone(&waker), Arc::clone(&polls))))).unwrap();
    let seen = Arc::clone(&polls);
    let second = ex.enter(|| {
        run::spawn(body(async move {
            yield_if_due().await;
            assert_eq!(seen.load(Ordering::Relaxed), 1, "nothing was due");
            wake_from_outside(&waker);
            yield_if_due().await;
            // It goes into the line behind this task, which has its next poll before it.
            yield_now().await;
            u64::from(seen.load(Ordering::Relaxed))
        }))
    });
    let second = second.unwrap();
    assert_eq!(ex.block_on(second), Ok(2));
    assert_eq!(ex.block_on(first), Ok(7));
}

/// With a turn of one poll each, nothing is held when it ends.
#[test]
fn a_turn_of_one_poll_leaves_nothing_held() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let (waker, polls) = (Arc::default(), Arc::<AtomicU32>::default());
    let first = ex.enter(|| run::spawn(body(parks(Arc::clone(&waker), Arc::clone(&polls))))).unwrap();
    let one = Budget { polls: 1, ..Budget::POLL };
    assert!(!ex.turn(one).more);
    wake_from_outside(&waker);
    assert_eq!(ex.turn(one).polls, 1);
    assert!(first.is_finished());
    drop(first);
}

/// A waker that counts.
#[derive(Default)]
struct Counts(AtomicU32);

impl std::task::Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that ends when it is told, and whose handle was polled in a turn of its worker.
macro_rules! polled_near {
    ($ex:ident, $run:ident, $handle:ident, $woken:ident, $go:ident, $drops:ident) => {
        lab!($ex, script, $run, pool = 2, ops = 1);
        let $drops = Drops::default();
        let $woken: [_; 2] = std::array::from_fn(|_| Arc::<Counts>::default());
        let ($go, value) = (Arc::<Mutex<Option<Waker>>>::default(), $drops.value());
        let polls = Arc::<AtomicU32>::default();
        let (parked, near) = (Arc::clone(&$go), Waker::from(Arc::clone(&$woken[0])));
        #[allow(unused_mut)]
        let mut $handle = $ex
            .enter(|| {
                $run::spawn(body(async move {
                    let _value = value;
                    parks(parked, polls).await
                }))
            })
            .unwrap();
        $ex.enter(|| {
            assert!(Pin::new(&mut $handle).poll(&mut Context::from_waker(&near)).is_pending());
            assert!(Pin::new(&mut $handle).poll(&mut Context::from_waker(&near)).is_pending());
        });
        drop(near);
        settle(&mut $ex);
    };
}

#[test]
fn a_handle_that_was_polled_near_is_woken_near() {
    polled_near!(ex, run, handle, woken, go, drops);
    go.lock().unwrap().as_ref().unwrap().wake_by_ref();
    settle(&mut ex);
    assert_eq!(woken[0].0.load(Ordering::Relaxed), 1);
    assert_eq!(ex.block_on(handle), Ok(7));
    assert_eq!(run::memory().used, 0);
    drop(drops);
}

#[test]
fn another_waker_takes_the_place_of_the_first_one() {
    polled_near!(ex, run, handle, woken, go, drops);
    let other = Waker::from(Arc::clone(&woken[1]));
    ex.enter(|| assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&other)).is_pending()));
    drop(other);
    assert_eq!(woken.each_ref().map(Arc::strong_count), [1, 2], "the first one's was dropped");
    go.lock().unwrap().as_ref().unwrap().wake_by_ref();
    settle(&mut ex);
    assert_eq!(woken.each_ref().map(|woken| woken.0.load(Ordering::Relaxed)), [0, 1]);
    assert_eq!(woken.each_ref().map(Arc::strong_count), [1, 1]);
    assert_eq!(ex.block_on(handle), Ok(7));
    drop(drops);
}

#[test]
fn a_handle_that_was_polled_near_is_polled_from_another_thread_and_near_again() {
    polled_near!(ex, run, handle, woken, go, drops);
    let other = Waker::from(Arc::clone(&woken[1]));
    let mut handle = thread::spawn(move || {
        assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&other)).is_pending());
        handle
    })
    .join()
    .unwrap();
    assert_eq!(woken.each_ref().map(Arc::strong_count), [1, 2]);
    let again = Waker::from(Arc::clone(&woken[0]));
    ex.enter(|| assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&again)).is_pending()));
    drop(again);
    assert_eq!(woken.each_ref().map(Arc::strong_count), [2, 1]);
    go.lock().unwrap().as_ref().unwrap().wake_by_ref();
    settle(&mut ex);
    assert_eq!(woken.each_ref().map(|woken| woken.0.load(Ordering::Relaxed)), [1, 0]);
    // The output is taken where the task never ran.
    let mut handle = handle;
    let output = thread::spawn(move || Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop())));
    assert_eq!(output.join().unwrap(), Poll::Ready(Ok(7)));
    assert_eq!(run::memory().used, 0);
    drop(drops);
}

#[test]
fn a_handle_that_was_polled_near_and_goes_drops_its_waker_with_the_task() {
    polled_near!(ex, run, handle, woken, go, drops);
    thread::spawn(move || drop(handle)).join().unwrap();
    go.lock().unwrap().as_ref().unwrap().wake_by_ref();
    settle(&mut ex);
    assert_eq!(woken[0].0.load(Ordering::Relaxed), 0, "nobody waits");
    assert_eq!(run::memory().used, 0);
    assert_eq!(drops.count(), 1);
    assert_eq!(Arc::strong_count(&woken[0]), 1);
    // The block is as good as new: the next task's handle finds no mark.
    let next = ex.enter(|| run::spawn(body(async { 9 }))).unwrap();
    settle(&mut ex);
    assert_eq!(ex.block_on(next), Ok(9));
}

/// How many polls of another task come between the abort of one that is held, on its own thread, and its end.
macro_rules! polls_until_gone {
    ($($lane:tt)*) => {{
        #[unboxed::task(pool = 1, ops = 0 $($lane)*)]
        async fn waits(body: unboxed_tests::Body) -> u64 {
            body.await
        }
        lab!(ex, script, run, pool = 1, ops = 1);
        let (drops, polls) = (Drops::default(), Arc::<AtomicU32>::default());
        let guard = drops.value();
        let first = ex.enter(|| {
            waits::spawn(body(async move {
                let _guard = guard;
                std::future::pending().await
            }))
        });
        let (abort, counts, gone) = (first.unwrap().abort_handle(), Arc::clone(&polls), drops.clone());
        let aborts = body(async move {
            abort.abort();
            while gone.count() == 0 {
                counts.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
            0
        });
        ex.enter(|| run::spawn(aborts)).unwrap().detach();
        settle(&mut ex);
        assert_eq!(drops.count(), 1);
        polls.load(Ordering::Relaxed)
    }};
}

#[test]
fn an_abort_of_a_held_task_on_its_thread_puts_it_into_the_line() {
    assert_eq!(polls_until_gone!(), 1, "the other task's poll in between");
}

#[test]
fn an_urgent_one_waits_no_longer_than_its_lane_says() {
    let polls = polls_until_gone!(, lane = "urgent");
    assert!(polls <= unboxed::task::Lane::Urgent.waits_max(), "{polls} starts of the normal lane (LANES-1)");
}
