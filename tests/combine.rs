//! `join`, `select` and `race`: completions in every order, cancels that win and lose, and the frames' sizes.

use std::future::{Future, pending, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use unboxed::channel::{Channel, RecvError, SendError};
use unboxed::combine::{
    Selected, join2, join3, join4, plain, race2, race3, race4, select2, select3, select4,
};
use unboxed::event_loop::scripted::OnCancel;
use unboxed::exec::Budget;
use unboxed::op::{Error, Nop, Operation, nop};
use unboxed::task::yield_now;
use unboxed::time::{Elapsed, Sleep, sleep, timeout};
use unboxed_tests::{body, drain, lab, settle};

const MS: Duration = Duration::from_millis(1);
type Out = Result<(), Error>;
type Four = Selected<(Out, Out, Out, Out)>;

/// All orders of four.
fn orders() -> Vec<[usize; 4]> {
    (0..256)
        .map(|n| [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6])
        .filter(|order| (0..4).all(|i| order.contains(&i)))
        .collect()
}

#[test]
fn a_join_ends_with_the_last_in_every_order() {
    lab!(ex, script, run, pool = 1, ops = 4);
    assert_eq!(orders().len(), 24);
    for order in orders() {
        let handle = ex
            .enter(|| {
                run::spawn(body(async {
                    let (a, b, c, d) = join4(nop(), nop(), nop(), nop()).await;
                    assert_eq!(
                        (a, b, c, d),
                        (Ok(()), Err(Error::Os(1)), Err(Error::Os(2)), Err(Error::Os(3)))
                    );
                    1
                }))
            })
            .unwrap();
        settle(&mut ex);
        let tokens = [0, 1, 2, 3].map(|at| script.pending(at).unwrap().token);
        for at in order {
            assert!(!handle.is_finished());
            script.complete(tokens[at], -(at as i32));
            settle(&mut ex);
        }
        assert!(handle.is_finished());
        handle.detach();
        assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
    }
}

#[test]
fn a_select_loses_nothing_in_any_order() {
    lab!(ex, script, run, pool = 1, ops = 4);
    for policy in [OnCancel::Cancel, OnCancel::CompleteFirst(0), OnCancel::Ignore] {
        script.on_cancel(policy);
        for order in orders() {
            for together in 1..=4 {
                let got: Arc<Mutex<Option<Four>>> = Arc::default();
                let place = got.clone();
                ex.enter(|| {
                    run::spawn(body(async move {
                        let selected = select4(nop(), nop(), nop(), nop()).await;
                        *place.lock().unwrap() = Some(selected);
                        1
                    }))
                })
                .unwrap()
                .detach();
                settle(&mut ex);
                let tokens = [0, 1, 2, 3].map(|at| script.pending(at).unwrap().token);
                let (early, late) = order.split_at(together);
                early.iter().for_each(|at| script.complete(tokens[*at], 0));
                settle(&mut ex);
                if policy == OnCancel::Ignore {
                    assert_eq!(got.lock().unwrap().is_some(), late.is_empty(), "the losers are awaited");
                    late.iter().for_each(|at| script.complete(tokens[*at], 0));
                    settle(&mut ex);
                }
                let Selected { first, outputs: (a, b, c, d) } =
                    got.lock().unwrap().take().expect("it has ended");
                assert_eq!(Some(&first), early.iter().min(), "of several the first argument");
                for (at, output) in [a, b, c, d].into_iter().enumerate() {
                    let cancelled = late.contains(&at) && policy == OnCancel::Cancel;
                    assert_eq!(output, if cancelled { Err(Error::Cancelled) } else { Ok(()) });
                }
                assert_eq!((ex.in_flight(), script.pending_len(), run::memory().used), (0, 0, 0));
            }
        }
    }
}

#[test]
fn a_dropped_select_or_join_gives_its_slots_back() {
    lab!(ex, script, run, pool = 1, ops = 5);
    ex.block_on(async {
        let mut select = Box::pin(select3(nop(), nop(), nop()));
        let mut join = Box::pin(join2(nop(), nop()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(select.as_mut().poll(&mut cx).is_pending() && join.as_mut().poll(&mut cx).is_pending());
        drop((select, join));
        yield_now().await;
    });
    settle(&mut ex);
    assert_eq!(ex.in_flight(), 0);
    let _ = run::memory();
}

/// The winner has come, the loser does not let go, and the task is aborted: the block stays until it has.
#[test]
fn an_abort_while_the_loser_is_awaited() {
    lab!(ex, script, run, pool = 1, ops = 2);
    script.on_cancel(OnCancel::Ignore);
    let select = || body(async { select2(nop(), nop()).await.first as u64 });
    let join = || body(async { join2(nop(), nop()).await.0.map_or(1, |()| 0) });
    for combined in [select as fn() -> _, join] {
        let handle = ex.enter(|| run::spawn(combined())).unwrap();
        settle(&mut ex);
        let [won, lost] = [0, 1].map(|at| script.pending(at).unwrap().token);
        script.complete(won, 0);
        settle(&mut ex);
        assert!(!handle.is_finished());
        handle.abort();
        settle(&mut ex);
        assert!(handle.is_finished());
        handle.detach();
        assert_eq!((ex.in_flight(), run::memory().used), (1, 1), "the loop still has a slot of the block");
        script.complete(lost, 0);
        settle(&mut ex);
        assert_eq!((ex.in_flight(), script.pending_len(), run::memory().used), (0, 0, 0));
    }
}

/// The loser is a receive that was just served, and the task is aborted before it is polled: the value stays.
#[test]
fn an_abort_of_a_select_that_was_served_loses_nothing() {
    lab!(ex, script, run, pool = 1, ops = 1);
    static QUEUE: Channel<u32, 1> = Channel::new();
    let handle =
        ex.enter(|| run::spawn(body(async { select2(QUEUE.recv(), nop()).await.first as u64 }))).unwrap();
    settle(&mut ex);
    QUEUE.try_send(7).expect("it goes to the one who waits");
    assert_eq!(QUEUE.try_recv(), Err(RecvError::Empty), "set aside");
    handle.abort();
    handle.detach();
    settle(&mut ex);
    assert_eq!(QUEUE.try_recv(), Ok(7));
    drain(&mut ex, script);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

/// A loop with room for one submission a turn: what waits for room is cancelled too, and ends.
#[test]
fn a_select_ends_on_a_full_loop() {
    lab!(ex, script, run, pool = 1, ops = 4);
    script.limit_submissions(1);
    for _ in 0..5 {
        let handle = ex
            .enter(|| {
                run::spawn(body(async {
                    let selected = select4(nop(), nop(), nop(), nop()).await;
                    let (a, b, c, d) = selected.outputs;
                    let won = [a, b, c, d].iter().filter(|output| output.is_ok()).count();
                    assert!(won >= 1 && [a, b, c, d][selected.first].is_ok());
                    1
                }))
            })
            .unwrap();
        ex.turn(Budget::POLL);
        while !handle.is_finished() {
            if let Some(op) = script.pending(0) {
                script.complete(op.token, 0);
            }
            ex.turn(Budget::POLL);
        }
        handle.detach();
        settle(&mut ex);
        assert_eq!((ex.in_flight(), script.pending_len(), run::memory().used), (0, 0, 0));
    }
}

#[test]
fn they_are_operations_themselves() {
    lab!(ex, script, run, pool = 1, ops = 4);
    assert_eq!(ex.block_on(timeout(MS, join3(nop(), nop(), nop()))), Err(Elapsed));
    assert_eq!(ex.block_on(timeout(MS, select3(nop(), nop(), nop()))), Err(Elapsed));
    // One of two has come: the limit gives what there is.
    let both = ex.block_on(timeout(MS * 2, join2(sleep(MS), nop())));
    assert_eq!(both, Ok((Ok(()), Err(Error::Cancelled))));
    assert_eq!(ex.in_flight(), 0);
    let _ = (run::memory(), script);
}

#[test]
fn channels_take_part() {
    lab!(ex, script, run, pool = 1, ops = 2);
    let channel = Channel::<u32, 1>::new();
    // The time is up: nothing was received, and the value that nobody took comes back.
    let selected = ex.block_on(select2(channel.recv(), sleep(MS)));
    assert_eq!((selected.first, selected.outputs), (1, (Err(RecvError::Cancelled), Ok(()))));
    channel.try_send(1).unwrap();
    let selected = ex.block_on(select2(sleep(MS), channel.send(2)));
    assert_eq!((selected.first, selected.outputs), (0, (Ok(()), Err(SendError::Cancelled(2)))));
    let selected = ex.block_on(select2(channel.recv(), sleep(MS)));
    assert_eq!((selected.first, selected.outputs), (0, (Ok(1), Err(Error::Cancelled))));
    // A send and a receive meet within one task.
    assert_eq!(ex.block_on(join2(channel.recv(), channel.send(3))), (Ok(3), Ok(())));
    assert_eq!(ex.block_on(timeout(MS, channel.recv())), Err(Elapsed));
    assert_eq!(ex.block_on(channel.recv().cancel()), Err(RecvError::Cancelled));
    let _ = (run::memory(), script);
}

/// A lock takes part as an operation: what it was handed is passed on when it is cancelled.
#[test]
fn plain_futures_take_part() {
    lab!(ex, script, run, pool = 1, ops = 2);
    let mutex = unboxed::sync::Mutex::new(1);
    let guard = mutex.try_lock().unwrap();
    assert_eq!(ex.block_on(timeout(MS, plain(mutex.lock()))).err(), Some(Elapsed));
    let selected = ex.block_on(select2(sleep(MS), plain(mutex.lock())));
    assert!(selected.first == 0 && selected.outputs.1.is_none());
    {
        let mut lock = pin!(plain(mutex.lock()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(lock.as_mut().poll(&mut cx).is_pending());
        drop(guard);
        lock.as_mut().request_cancel(&mut cx);
        assert!(mutex.try_lock().is_some(), "it was handed over, and passed on");
        assert!(matches!(lock.poll(&mut cx), Poll::Ready(None)));
    }
    let got = ex.block_on(timeout(MS, plain(mutex.lock()))).unwrap();
    assert_eq!(got.as_deref(), Some(&1));
    let _ = (run::memory(), script);
}

#[test]
fn a_race_goes_to_the_first_argument_that_is_ready() {
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(pin!(race2(ready(1), ready(2))).poll(&mut cx), Poll::Ready(1));
    assert_eq!(pin!(race4(pending(), pending(), ready(3), ready(4))).poll(&mut cx), Poll::Ready(3));
    assert!(pin!(race2(pending::<()>(), pending())).poll(&mut cx).is_pending());
}

/// A frame is its futures and a tag each.
#[test]
fn frames_are_the_sum_of_their_parts() {
    fn size<F: Future>(_: &F) -> usize {
        size_of::<F>()
    }
    let (bare, one, timer) = (size_of::<Nop>(), size_of::<Nop>() + 8, size_of::<Sleep>() + 8);
    assert_eq!(size(&race2(nop(), nop())), 2 * bare);
    assert_eq!(size(&race3(nop(), nop(), nop())), 3 * bare);
    assert_eq!(size(&race4(nop(), nop(), nop(), nop())), 4 * bare);
    assert!(size(&join2(nop(), nop())) <= 2 * one);
    assert!(size(&join3(nop(), nop(), nop())) <= 3 * one);
    assert!(size(&join4(nop(), nop(), nop(), nop())) <= 4 * one);
    assert!(size(&select2(nop(), sleep(MS))) <= 16 + one + timer);
    assert!(size(&select3(nop(), nop(), nop())) <= 16 + 3 * one);
    assert!(size(&select4(nop(), nop(), nop(), nop())) <= 16 + 4 * one);
    let channel = Channel::<u64, 1>::new();
    assert!(size(&channel.recv()) <= 64);
    assert!(size(&channel.send(1)) <= 80);
}
