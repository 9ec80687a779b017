//! Tasks: spawning, joining, aborting, panics, full pools, wakes, the root.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use unboxed::op::nop;
use unboxed::task::{JoinError, yield_now};
use unboxed_tests::{Drops, body, drain, lab, settle};

struct PanicsOnDrop;
impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_join_handle_gives_the_output() {
    lab!(ex, script, run, pool = 2, ops = 1);
    let out = ex.block_on(async {
        let handle = run::spawn(body(async {
            yield_now().await;
            7
        }))
        .unwrap();
        handle.await
    });
    assert_eq!(out, Ok(7));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn an_output_is_read_in_place_before_it_is_taken() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let handle = ex.enter(|| run::spawn(body(async { 7 }))).unwrap();
    assert!(handle.peek().is_none());
    settle(&mut ex);
    assert!(handle.is_finished());
    assert_eq!(handle.peek(), Some(Ok(&7)));
    assert_eq!(run::memory().used, 1, "the output lies in the block");
    assert_eq!(ex.block_on(handle), Ok(7));
    assert_eq!(run::memory().used, 0);
}

#[unboxed::task(pool = 2)]
async fn gives(drops: Drops) -> unboxed_tests::Dropped {
    yield_now().await;
    drops.value()
}

#[test]
fn a_detached_output_is_dropped_once() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let drops = Drops::default();
    ex.enter(|| gives::spawn(drops.clone())).unwrap().detach();
    settle(&mut ex);
    assert_eq!(drops.count(), 1, "detached before the end");
    let handle = ex.enter(|| gives::spawn(drops.clone())).unwrap();
    settle(&mut ex);
    assert_eq!(drops.count(), 1);
    drop(handle);
    assert_eq!(drops.count(), 2, "detached after the end");
    assert_eq!(gives::memory().used, 0);
}

#[test]
fn an_abort_before_the_first_poll_never_polls() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let drops = Drops::default();
    let value = drops.value();
    let handle = ex
        .enter(|| {
            run::spawn(body(async move {
                let _value = value;
                unreachable!("polled")
            }))
        })
        .unwrap();
    handle.abort();
    assert_eq!(settle(&mut ex), 0);
    assert_eq!(drops.count(), 1);
    assert_eq!(ex.block_on(handle), Err(JoinError::Aborted));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn an_abort_while_pending_drops_the_body() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let drops = Drops::default();
    let value = drops.value();
    let handle = ex
        .enter(|| {
            run::spawn(body(async move {
                let _value = value;
                pending().await
            }))
        })
        .unwrap();
    settle(&mut ex);
    handle.abort();
    handle.abort();
    assert_eq!(drops.count(), 0);
    settle(&mut ex);
    assert_eq!(drops.count(), 1);
    assert_eq!(ex.block_on(handle), Err(JoinError::Aborted));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn an_abort_while_running_ends_at_the_next_await_that_waits() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let cell: Arc<Mutex<Option<unboxed::task::AbortHandle>>> = Arc::default();
    let own = cell.clone();
    let handle = ex
        .enter(|| {
            run::spawn(body(async move {
                own.lock().unwrap().as_ref().unwrap().abort();
                yield_now().await;
                unreachable!("went on")
            }))
        })
        .unwrap();
    *cell.lock().unwrap() = Some(handle.abort_handle());
    assert_eq!(settle(&mut ex), 0);
    assert_eq!(ex.block_on(handle), Err(JoinError::Aborted));
    cell.lock().unwrap().take();
    assert_eq!(run::memory().used, 0);
}

#[test]
fn an_abort_while_running_does_not_undo_an_end_in_the_same_poll() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let cell: Arc<Mutex<Option<unboxed::task::AbortHandle>>> = Arc::default();
    let own = cell.clone();
    let handle = ex
        .enter(|| {
            run::spawn(body(async move {
                own.lock().unwrap().take().unwrap().abort();
                3
            }))
        })
        .unwrap();
    *cell.lock().unwrap() = Some(handle.abort_handle());
    assert_eq!(ex.block_on(handle), Ok(3));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn an_abort_after_the_end_changes_nothing() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let handle = ex.enter(|| run::spawn(body(async { 1 }))).unwrap();
    let abort = handle.abort_handle();
    settle(&mut ex);
    abort.abort();
    handle.abort();
    settle(&mut ex);
    assert_eq!(ex.block_on(handle), Ok(1));
    assert_eq!(run::memory().used, 1, "the abort handle counts");
    abort.clone().abort();
    drop(abort);
    assert_eq!(run::memory().used, 0);
}

#[test]
fn a_panic_ends_its_task_and_the_worker_goes_on() {
    lab!(ex, script, run, pool = 2, ops = 1);
    let drops = Drops::default();
    let value = drops.value();
    let (bad, good) = ex.enter(|| {
        (
            run::spawn(body(async move {
                let _value = value;
                panic!("body")
            }))
            .unwrap(),
            run::spawn(body(async {
                yield_now().await;
                2
            }))
            .unwrap(),
        )
    });
    assert_eq!(settle(&mut ex), 1);
    assert_eq!(drops.count(), 1);
    assert_eq!(ex.stats().panics.get(), 1);
    assert_eq!(ex.block_on(async { (bad.await, good.await) }), (Err(JoinError::Panicked), Ok(2)));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn a_panic_with_operations_in_flight_frees_their_slots() {
    lab!(ex, script, run, pool = 1, ops = 2);
    let handle = ex
        .enter(|| {
            run::spawn(body(async {
                let mut a = Box::pin(nop());
                poll_fn(|cx| {
                    let _ = a.as_mut().poll(cx);
                    Poll::Ready(())
                })
                .await;
                std::mem::forget(a);
                panic!("body")
            }))
        })
        .unwrap();
    drop(handle);
    assert_eq!(settle(&mut ex), 1);
    drain(&mut ex, script);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[unboxed::task(pool = 1)]
async fn panics_after_ready() -> u64 {
    let _late = PanicsOnDrop;
    5
}

struct ReadyThenPanics;
impl Future for ReadyThenPanics {
    type Output = u64;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        Poll::Ready(5)
    }
}
impl Drop for ReadyThenPanics {
    fn drop(&mut self) {
        panic!("the future's drop");
    }
}

#[test]
fn a_panic_in_the_drop_of_an_ended_body_is_a_panic_of_its_task() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let a = ex.enter(panics_after_ready::spawn).unwrap();
    let b = ex.enter(|| run::spawn(Box::pin(ReadyThenPanics))).unwrap();
    assert_eq!(settle(&mut ex), 2);
    assert_eq!(
        ex.block_on(async { (a.await, b.await) }),
        (Err(JoinError::Panicked), Err(JoinError::Panicked))
    );
    assert_eq!((run::memory().used, panics_after_ready::memory().used), (0, 0));
}

#[test]
fn a_panic_in_the_drop_of_an_aborted_body_ends_it() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let handle = ex
        .enter(|| {
            run::spawn(body(async {
                let _p = PanicsOnDrop;
                pending().await
            }))
        })
        .unwrap();
    settle(&mut ex);
    handle.abort();
    assert_eq!(settle(&mut ex), 1);
    assert_eq!(ex.block_on(handle), Err(JoinError::Panicked));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn a_full_pool_hands_the_arguments_back() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let handle = ex.enter(|| run::spawn(body(async { 1 }))).unwrap();
    let error = ex.enter(|| run::spawn(body(async { 2 }))).unwrap_err();
    assert!(error.to_string().contains("run"), "{error}");
    assert_eq!(ex.block_on(handle), Ok(1));
    let (args,) = error.args;
    assert_eq!(ex.block_on(async move { run::spawn(args).unwrap().await }), Ok(2));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn a_spawn_outside_a_runtime_hands_the_arguments_back() {
    lab!(ex, script, run, pool = 1, ops = 1);
    assert!(run::spawn(body(async { 1 })).is_err());
    assert_eq!(run::memory().used, 0);
    drop(ex);
}

#[test]
fn reserve_is_first_come_first_served() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let held = run::try_reserve().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let (mut a, mut b, mut c) = (pin!(run::reserve()), pin!(run::reserve()), pin!(run::reserve()));
    assert!(a.as_mut().poll(&mut cx).is_pending());
    assert!(b.as_mut().poll(&mut cx).is_pending());
    assert!(c.as_mut().poll(&mut cx).is_pending());
    drop(held);
    assert!(c.as_mut().poll(&mut cx).is_pending());
    assert!(b.as_mut().poll(&mut cx).is_pending());
    assert!(run::try_reserve().is_err(), "handed to a waiter, not to the list");
    let Poll::Ready(first) = a.as_mut().poll(&mut cx) else { panic!("the first waits") };
    drop(first);
    let Poll::Ready(second) = b.as_mut().poll(&mut cx) else { panic!("the second waits") };
    drop(second);
    assert!(c.as_mut().poll(&mut cx).is_ready());
    assert_eq!(run::memory().used, 0);
    drop(ex);
}

#[test]
fn a_cancelled_waiter_passes_its_block_on() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let held = run::try_reserve().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let (mut a, mut b) = (Box::pin(run::reserve()), Box::pin(run::reserve()));
    let mut c = Box::pin(run::reserve());
    for waiter in [&mut a, &mut b, &mut c] {
        assert!(waiter.as_mut().poll(&mut cx).is_pending());
    }
    drop(b);
    drop(held);
    drop(a);
    let Poll::Ready(got) = c.as_mut().poll(&mut cx) else { panic!("it was not passed on") };
    drop(got);
    assert_eq!(run::memory().used, 0);
    drop(ex);
}

#[test]
fn a_reserved_block_starts_when_there_is_work() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let out = ex.block_on(async {
        let first = run::spawn(body(async {
            yield_now().await;
            1
        }))
        .unwrap();
        let reservation = pin!(async { run::reserve().await });
        let waiting = reservation;
        first.detach();
        waiting.await.spawn((body(async { 2 }),)).unwrap().await
    });
    assert_eq!(out, Ok(2));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn other_threads_wake_a_sleeping_worker() {
    lab!(ex, script, run, pool = 1, ops = 1);
    script.wait_for_doorbell(true);
    let mut threads = Vec::new();
    let out = ex.block_on(async {
        let mut sum = 0;
        for round in 0..50u64 {
            let shared = Arc::new((AtomicU64::new(0), Mutex::new(None::<Waker>)));
            let theirs = shared.clone();
            threads.push(std::thread::spawn(move || {
                loop {
                    if let Some(waker) = theirs.1.lock().unwrap().take() {
                        theirs.0.store(round, Ordering::Release);
                        return waker.wake();
                    }
                    std::thread::yield_now();
                }
            }));
            let mut asked = false;
            sum += poll_fn(|cx| {
                if !asked {
                    asked = true;
                    *shared.1.lock().unwrap() = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                if shared.1.lock().unwrap().is_some() {
                    return Poll::Pending;
                }
                Poll::Ready(round)
            })
            .await;
        }
        sum
    });
    assert_eq!(out, (0..50).sum::<u64>());
    threads.into_iter().for_each(|t| t.join().unwrap());
}

#[test]
fn stale_wakers_are_spurious_polls_of_the_next_task() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
    let keep = kept.clone();
    let first = body(poll_fn(move |cx| {
        *keep.lock().unwrap() = Some(cx.waker().clone());
        Poll::Ready(0)
    }));
    ex.enter(|| run::spawn(first)).unwrap().detach();
    settle(&mut ex);
    let waker = kept.lock().unwrap().take().unwrap();
    waker.wake_by_ref();
    settle(&mut ex);
    let reservation = run::try_reserve().unwrap();
    waker.wake_by_ref();
    drop(reservation);
    let polls = Arc::new(AtomicU64::new(0));
    let count = polls.clone();
    let second = body(poll_fn(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Poll::Pending
    }));
    let handle = ex.enter(|| run::spawn(second)).unwrap();
    std::thread::scope(|s| {
        s.spawn(|| waker.wake_by_ref());
    });
    settle(&mut ex);
    waker.wake();
    settle(&mut ex);
    assert!((1..=3).contains(&polls.load(Ordering::SeqCst)));
    handle.abort();
    assert_eq!(ex.block_on(handle), Err(JoinError::Aborted));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn a_join_handle_may_move_to_another_task() {
    lab!(ex, script, run, pool = 3, ops = 1);
    let out = ex.block_on(async {
        let mut inner = run::spawn(body(async {
            for _ in 0..5 {
                yield_now().await
            }
            4
        }))
        .unwrap();
        // Polled here first, so that the cell holds this task's waker.
        poll_fn(|cx| {
            assert!(Pin::new(&mut inner).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        run::spawn(body(async move { inner.await.unwrap() + 1 })).unwrap().await
    });
    assert_eq!(out, Ok(5));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn a_join_handle_may_be_awaited_on_another_thread() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let handle = ex
        .enter(|| {
            run::spawn(body(async {
                nop().await.unwrap();
                9
            }))
        })
        .unwrap();
    settle(&mut ex);
    let waiter = std::thread::spawn(move || {
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark()
            }
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut handle = handle;
        loop {
            match Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(out) => return out,
                Poll::Pending => std::thread::park(),
            }
        }
    });
    std::thread::sleep(Duration::from_millis(5));
    drain(&mut ex, script);
    assert_eq!(waiter.join().unwrap(), Ok(9));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn a_count_of_references_that_left_its_range_does_not_go_on_to_zero() {
    let refs = unboxed::task::Refs::new();
    refs.begin(u32::MAX / 2);
    for _ in 0..3 {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| refs.add(1))).is_err());
        assert_eq!(refs.count(), u32::MAX / 2);
    }
}
