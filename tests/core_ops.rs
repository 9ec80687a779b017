//! Operations: leaked, dropped, moved, cancelled, late, too many; on the scripted loop.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use unboxed::event_loop::Descriptor;
use unboxed::event_loop::scripted::OnCancel;
use unboxed::op::{Error, Nop, Operation, custom, nop};
use unboxed::task::{JoinError, yield_now};
use unboxed::time::sleep;
use unboxed_tests::{Shared, begins, body, drain, lab, pass_a_turn, poll_once, settle, turn};

#[test]
fn a_leaked_operation_returns_its_slot_at_the_end_of_its_task() {
    lab!(ex, script, run, pool = 1, ops = 1);
    for _ in 0..3 {
        ex.enter(|| {
            run::spawn(body(async {
                let mut op = nop();
                assert!(poll_once(&mut op).await.is_pending());
                std::mem::forget(op);
                1
            }))
        })
        .unwrap()
        .detach();
        settle(&mut ex);
        assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
    }
}

#[test]
fn an_operation_never_polled_takes_no_slot() {
    lab!(ex, script, run, pool = 1, ops = 1);
    ex.block_on(async { drop(nop()) });
    assert_eq!((ex.in_flight(), ex.stats().submitted.get()), (0, 0));
    let _ = run::memory();
}

#[test]
fn an_operation_dropped_in_flight_comes_back_cancelled() {
    lab!(ex, script, run, pool = 1, ops = 1);
    ex.enter(|| {
        run::spawn(body(async {
            for _ in 0..20 {
                let mut op = nop();
                assert!(poll_once(&mut op).await.is_pending());
                drop(op);
                yield_now().await;
                yield_now().await;
                while !matches!(poll_once(&mut nop()).await, Poll::Pending) {
                    yield_now().await
                }
                yield_now().await;
            }
            1
        }))
    })
    .unwrap()
    .detach();
    settle(&mut ex);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
    assert!(script.pending(0).is_none());
}

#[test]
fn an_operation_dropped_when_ready_is_used_up() {
    lab!(ex, script, run, pool = 1, ops = 1);
    script.automatic(Some(|_| Some(0)));
    let out = ex.block_on(async {
        run::spawn(body(async {
            for _ in 0..20 {
                let mut op = nop();
                assert!(poll_once(&mut op).await.is_pending());
                unboxed::task::yield_now().await;
                pass_a_turn().await;
                drop(op);
            }
            nop().await.unwrap();
            1
        }))
        .unwrap()
        .await
    });
    assert_eq!(out, Ok(1));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn an_operation_may_be_awaited_in_another_task() {
    lab!(ex, script, run, pool = 2, ops = 1);
    let shared = Shared::default();
    let theirs = shared.clone();
    let owner = ex.enter(|| run::spawn(begins(&shared, pending()))).unwrap();
    settle(&mut ex);
    let other = ex
        .enter(|| {
            run::spawn(body(async move {
                let op = theirs.lock().unwrap().take().unwrap();
                op.await.map_or(1, |()| 2)
            }))
        })
        .unwrap();
    settle(&mut ex);
    assert!(!other.is_finished());
    drain(&mut ex, script);
    assert_eq!(ex.block_on(other), Ok(2));
    owner.abort();
    assert_eq!(ex.block_on(owner), Err(JoinError::Aborted));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn an_operation_awaited_elsewhere_learns_that_its_task_has_ended() {
    lab!(ex, script, run, pool = 2, ops = 1);
    for policy in [OnCancel::Cancel, OnCancel::CompleteFirst(3), OnCancel::Ignore] {
        script.on_cancel(policy);
        let shared = Shared::default();
        let theirs = shared.clone();
        let owner = ex.enter(|| run::spawn(begins(&shared, pending()))).unwrap();
        settle(&mut ex);
        let other = ex
            .enter(|| {
                run::spawn(body(async move {
                    let op = theirs.lock().unwrap().take().unwrap();
                    assert_eq!(op.await, Err(Error::TaskEnded));
                    1
                }))
            })
            .unwrap();
        settle(&mut ex);
        owner.abort();
        drop(owner);
        drain(&mut ex, script);
        assert!(other.is_finished(), "{policy:?}: it waits for ever");
        assert_eq!(ex.block_on(other), Ok(1));
        assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
    }
}

struct Unpark(std::thread::Thread);
impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait_on_thread<F: Future + Unpin + Send + 'static>(mut future: F) -> std::thread::JoinHandle<F::Output>
where
    F::Output: Send,
{
    std::thread::spawn(move || {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        loop {
            match Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(out) => return out,
                Poll::Pending => std::thread::park_timeout(Duration::from_secs(20)),
            }
        }
    })
}

#[test]
fn an_operation_may_be_awaited_on_another_thread() {
    lab!(ex, script, run, pool = 1, ops = 1);
    for end_the_task in [false, true] {
        let shared = Shared::default();
        let owner = ex.enter(|| run::spawn(begins(&shared, pending()))).unwrap();
        settle(&mut ex);
        let thread = wait_on_thread(shared.lock().unwrap().take().unwrap());
        std::thread::sleep(Duration::from_millis(20));
        turn(&mut ex);
        if end_the_task {
            owner.abort();
        } else {
            script.complete(script.pending(0).unwrap().token, 0);
        }
        settle(&mut ex);
        let expected = if end_the_task { Err(Error::TaskEnded) } else { Ok(()) };
        assert_eq!(thread.join().unwrap(), expected);
        owner.abort();
        drop(owner);
        settle(&mut ex);
        assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
    }
}

#[test]
fn an_operation_may_be_dropped_or_cancelled_on_another_thread() {
    lab!(ex, script, run, pool = 1, ops = 1);
    for cancel in [false, true] {
        let shared = Shared::default();
        let owner = ex.enter(|| run::spawn(begins(&shared, pending()))).unwrap();
        settle(&mut ex);
        let op = shared.lock().unwrap().take().unwrap();
        let thread = std::thread::spawn(move || {
            if cancel {
                assert_eq!(wait_on_thread(op.cancel()).join().unwrap(), Err(Error::Cancelled));
            }
        });
        while !thread.is_finished() {
            turn(&mut ex);
        }
        thread.join().unwrap();
        settle(&mut ex);
        assert_eq!(ex.in_flight(), 0);
        owner.abort();
        drop(owner);
        settle(&mut ex);
        assert_eq!(run::memory().used, 0);
    }
    assert_eq!(script.pending_len(), 0);
}

#[test]
fn hundreds_of_operations_polled_once_and_dropped_leave_nothing() {
    lab!(ex, script, run, pool = 8, ops = 64);
    script.limit_completions(4);
    for _ in 0..8 {
        ex.enter(|| {
            run::spawn(body(async {
                let mut left = 75;
                while left > 0 {
                    let mut op = nop();
                    match poll_once(&mut op).await {
                        Poll::Pending => left -= 1,
                        Poll::Ready(end) => {
                            assert!(matches!(end, Err(Error::SlotsExhausted { .. })));
                            yield_now().await;
                        }
                    }
                }
                1
            }))
        })
        .unwrap()
        .detach();
    }
    settle(&mut ex);
    assert_eq!(ex.stats().submitted.get(), 600);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn a_late_completion_pins_the_block_of_its_ended_task() {
    lab!(ex, script, run, pool = 1, ops = 2);
    script.on_cancel(OnCancel::Ignore);
    ex.enter(|| {
        run::spawn(body(async {
            let (mut a, mut b) = (nop(), nop());
            let _ = (poll_once(&mut a).await, poll_once(&mut b).await);
            std::mem::forget(b);
            1
        }))
    })
    .unwrap()
    .detach();
    settle(&mut ex);
    assert_eq!((ex.in_flight(), run::memory().used), (2, 1));
    assert!(ex.enter(|| run::spawn(body(async { 1 }))).is_err());
    script.complete(script.pending(0).unwrap().token, 0);
    settle(&mut ex);
    assert_eq!((ex.in_flight(), run::memory().used), (1, 1));
    script.complete(script.pending(0).unwrap().token, -125);
    settle(&mut ex);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
    assert_eq!(ex.block_on(async { run::spawn(body(async { 4 })).unwrap().await }), Ok(4));
}

#[test]
fn a_task_aborted_with_operations_in_flight_gives_its_block_back_after_them() {
    lab!(ex, script, run, pool = 1, ops = 2);
    script.on_cancel(OnCancel::Ignore);
    let handle = ex
        .enter(|| {
            run::spawn(body(async {
                let (mut a, mut s) = (nop(), sleep(Duration::from_secs(9)));
                let _ = (poll_once(&mut a).await, poll_once(&mut s).await);
                pending().await
            }))
        })
        .unwrap();
    settle(&mut ex);
    assert_eq!(ex.in_flight(), 2);
    handle.abort();
    assert_eq!(ex.block_on(handle), Err(JoinError::Aborted));
    assert_eq!((ex.in_flight(), run::memory().used), (1, 1), "the timer is gone at once");
    drain(&mut ex, script);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn a_close_detaches_what_does_not_end_and_its_slots_are_never_used_again() {
    lab!(ex, script, run, pool = 2, ops = 1);
    script.on_cancel(OnCancel::Ignore);
    let shared = Shared::default();
    let handle = ex.enter(|| run::spawn(begins(&shared, pending()))).unwrap();
    settle(&mut ex);
    let thread = wait_on_thread(shared.lock().unwrap().take().unwrap());
    std::thread::sleep(Duration::from_millis(20));
    turn(&mut ex);
    let report = ex.close(1_000_000);
    assert_eq!((report.aborted, report.detached), (1, 1));
    assert_eq!(thread.join().unwrap(), Err(Error::Closed));
    drop(handle);
    assert_eq!(run::memory().used, 1, "the block stays the system's");
    assert!(unboxed::exec::Executor::start(&WORKER, &SCRIPT, 0).is_err());
}

#[test]
fn a_close_with_operations_that_end_leaves_nothing() {
    lab!(ex, script, run, pool = 2, ops = 2);
    for _ in 0..2 {
        ex.enter(|| {
            run::spawn(body(async {
                let (mut a, mut s) = (nop(), sleep(Duration::from_secs(9)));
                let _ = (poll_once(&mut a).await, poll_once(&mut s).await);
                std::mem::forget((a, s));
                pending().await
            }))
        })
        .unwrap()
        .detach();
    }
    settle(&mut ex);
    let report = ex.close(1_000_000);
    assert_eq!((report.aborted, report.detached, run::memory().used), (2, 0, 0));
}

#[test]
fn fifty_tasks_share_a_submission_queue_of_one() {
    lab!(ex, script, run, pool = 50, ops = 2);
    script.automatic(Some(|_| Some(0)));
    for room in [1, 2] {
        script.limit_submissions(room);
        for _ in 0..50 {
            ex.enter(|| {
                run::spawn(body(async {
                    for _ in 0..4 {
                        nop().await.unwrap()
                    }
                    let (mut a, mut b) = (nop(), nop());
                    let _ = (poll_once(&mut a).await, poll_once(&mut b).await);
                    drop(a);
                    b.await.unwrap();
                    1
                }))
            })
            .unwrap()
            .detach();
        }
        settle(&mut ex);
        assert!(ex.stats().starved.get() > 50);
        assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
    }
}

#[test]
fn a_task_without_slots_left_is_told_which_setting_to_raise() {
    lab!(ex, script, run, pool = 1, ops = 2);
    let handle = ex
        .enter(|| {
            run::spawn(body(async {
                let (mut a, mut b, mut c) = (nop(), nop(), nop());
                let _ = (poll_once(&mut a).await, poll_once(&mut b).await);
                let Poll::Ready(Err(error)) = poll_once(&mut c).await else { panic!("a third slot") };
                assert_eq!(error, Error::SlotsExhausted { task: "run", slots: 2 });
                assert!(error.to_string().contains("`ops`"));
                1
            }))
        })
        .unwrap();
    settle(&mut ex);
    assert_eq!(ex.block_on(handle), Ok(1));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn a_task_may_take_spares_and_gives_them_back_at_its_end() {
    lab!(ex, script, run, pool = 3, ops = 1, spares = 4);
    for _ in 0..6 {
        script.on_cancel(OnCancel::Ignore);
        for _ in 0..2 {
            ex.enter(|| {
                run::spawn(body(async {
                    let mut ops: Vec<Nop> = (0..6).map(|_| nop()).collect();
                    for op in &mut ops[..5] {
                        assert!(poll_once(op).await.is_pending());
                    }
                    assert!(poll_once(&mut ops[5]).await.is_ready());
                    1
                }))
            })
            .unwrap()
            .detach();
        }
        settle(&mut ex);
        assert_eq!((ex.in_flight(), run::memory().used), (10, 2), "spares pin their task");
        drain(&mut ex, script);
        assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
    }
    assert!(ex.stats().spares_taken.get() >= 48);
}

#[test]
fn a_handle_of_an_earlier_activation_never_matches() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let shared = Shared::default();
    ex.enter(|| run::spawn(begins(&shared, async { 1 }))).unwrap().detach();
    drain(&mut ex, script);
    let old = shared.lock().unwrap().take().unwrap();
    let next = ex.enter(|| run::spawn(body(async { nop().await.map_or(1, |()| 2) }))).unwrap();
    settle(&mut ex);
    assert_eq!(ex.block_on(old), Err(Error::TaskEnded));
    drain(&mut ex, script);
    assert_eq!(ex.block_on(next), Ok(2));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn an_operation_outside_a_task_is_refused() {
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(pin!(nop()).poll(&mut cx), Poll::Ready(Err(Error::NoTask)));
}

#[test]
fn more_completions_than_a_batch_holds_and_a_due_timer_come_in_turns() {
    lab!(ex, script, run, pool = 400, ops = 1);
    for i in 0..400 {
        ex.enter(|| {
            run::spawn(body(async move {
                if i % 4 == 0 {
                    sleep(Duration::from_millis(1)).await.unwrap()
                } else {
                    nop().await.unwrap()
                }
                1
            }))
        })
        .unwrap()
        .detach();
    }
    settle(&mut ex);
    while let Some(op) = script.pending(0) {
        script.complete(op.token, 0)
    }
    script.advance(5_000_000);
    assert_eq!(settle(&mut ex), 0);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn an_operation_of_the_loops_own_brings_its_code_there_and_its_result_back() {
    lab!(ex, script, run, pool = 1, ops = 1);
    script.automatic(Some(|op| match *op {
        Descriptor::Custom { code: 7, args: [a, b, ..] } => Some((a * b) as i32),
        Descriptor::Custom { code: 8, .. } => Some(-38),
        _ => None,
    }));
    let _ = run::memory();
    // SAFETY: the arguments name no memory.
    let ask = |code, args| unsafe { custom(code, args) };
    let answers = ex.block_on(async {
        let cancelled = ask(9, [0; 4]).cancel().await;
        [ask(7, [6, 7, 0, 0]).await, ask(8, [0; 4]).await, cancelled]
    });
    assert_eq!(answers, [Ok(42), Err(Error::Os(38)), Err(Error::Cancelled)]);
    assert_eq!(ex.in_flight(), 0);
}
