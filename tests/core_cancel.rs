//! Cancels, before and after what they are to end.
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use unboxed::event_loop::scripted::OnCancel;
use unboxed::op::{Error, Operation, nop};
use unboxed::time::sleep;
use unboxed_tests::{Shared, begins, body, lab, pass_a_turn, poll_once, settle, turn};

#[test]
fn a_cancel_after_the_completion_gives_the_result() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let shared = Shared::default();
    let own = shared.clone();
    let handle = ex
        .enter(|| {
            run::spawn(begins(&shared, async move {
                poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if own.lock().unwrap().is_some() { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                pass_a_turn().await;
                let op = own.lock().unwrap().take().unwrap();
                op.cancel().await.map_or(1, |()| 2)
            }))
        })
        .unwrap();
    turn(&mut ex);
    script.complete(script.pending(0).unwrap().token, 0);
    settle(&mut ex);
    assert_eq!(ex.block_on(handle), Ok(2));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn a_cancel_that_comes_first_gives_cancelled() {
    lab!(ex, script, run, pool = 1, ops = 1);
    assert_eq!(
        ex.block_on(async {
            let mut op = nop();
            assert!(poll_once(&mut op).await.is_pending());
            op.cancel().await
        }),
        Err(Error::Cancelled)
    );
    assert_eq!(ex.in_flight(), 0);
    let _ = (run::memory(), script.pending_len());
}

#[test]
fn a_cancel_that_the_completion_outruns_gives_the_result() {
    lab!(ex, script, run, pool = 1, ops = 1);
    script.on_cancel(OnCancel::CompleteFirst(0));
    assert_eq!(
        ex.block_on(async {
            let mut op = nop();
            assert!(poll_once(&mut op).await.is_pending());
            op.cancel().await
        }),
        Ok(())
    );
    assert_eq!(ex.in_flight(), 0);
    let _ = run::memory();
}

#[test]
fn a_cancel_of_an_operation_that_was_never_polled_ends() {
    lab!(ex, script, run, pool = 1, ops = 1);
    assert_eq!(ex.block_on(nop().cancel()), Err(Error::Cancelled));
    assert_eq!(ex.block_on(sleep(Duration::from_secs(3600)).cancel()), Err(Error::Cancelled));
    assert_eq!(unboxed::event_loop::EventLoop::now(script), 0, "nobody waited for the hour");
    assert_eq!(ex.in_flight(), 0);
    let _ = run::memory();
}

#[test]
fn a_cancel_while_the_loop_is_full_ends() {
    lab!(ex, script, run, pool = 3, ops = 1);
    script.limit_submissions(1);
    for _ in 0..3 {
        ex.enter(|| {
            run::spawn(body(async {
                let mut op = nop();
                let _ = poll_once(&mut op).await;
                let _ = op.cancel().await;
                let mut op = nop();
                let _ = poll_once(&mut op).await;
                pass_a_turn().await;
                let _ = op.cancel().await;
                1
            }))
        })
        .unwrap()
        .detach();
    }
    settle(&mut ex);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}
