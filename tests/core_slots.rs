//! Which slot an operation takes and gives back, and whom its completion wakes; on the scripted loop.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use unboxed::op::{Error, Nop, nop};
use unboxed_tests::{Script, body, lab, settle};

/// Begins as many no-ops as go, gives turns until all have a result, and takes those in reverse order.
async fn fill() -> u64 {
    let mut ops: Vec<Nop> = Vec::new();
    poll_fn(|cx| {
        loop {
            let mut op = nop();
            match Pin::new(&mut op).poll(cx) {
                Poll::Pending => ops.push(op),
                Poll::Ready(result) => {
                    assert!(matches!(result, Err(Error::SlotsExhausted { .. })), "{result:?}");
                    return Poll::Ready(());
                }
            }
        }
    })
    .await;
    let all = ops.len() as u64;
    poll_fn(|cx| {
        let mut pending = 0;
        ops = std::mem::take(&mut ops)
            .into_iter()
            .rev()
            .filter_map(|mut op| match Pin::new(&mut op).poll(cx) {
                Poll::Pending => Some(op),
                Poll::Ready(result) => {
                    assert_eq!(result, Ok(()));
                    None
                }
            })
            .inspect(|_| pending += 1)
            .collect();
        if pending == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    all
}

#[test]
fn a_task_uses_each_of_64_slots_and_finds_no_other() {
    lab!(ex, script, run, pool = 2, ops = 64);
    script.automatic(Some(|_| Some(0)));
    let spawn = || run::spawn(body(async { fill().await + fill().await })).unwrap();
    let (one, other) = ex.block_on(async {
        let handles = (spawn(), spawn());
        (handles.0.await, handles.1.await)
    });
    assert_eq!((one, other), (Ok(128), Ok(128)));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn a_task_without_slots_finds_none() {
    lab!(ex, script, run, pool = 1, ops = 0);
    let out = ex.block_on(async { run::spawn(body(fill())).unwrap().await });
    assert_eq!(out, Ok(0));
}

/// The root's eight slots and the eight spares lie behind one another in the worker's storage.
#[test]
fn a_spare_behind_the_roots_slots_is_not_taken_for_one_of_them() {
    lab!(ex, script, run, pool = 1, ops = 1, spares = 8);
    script.automatic(Some(|_| Some(0)));
    for _ in 0..3 {
        assert_eq!(ex.block_on(async { fill().await + fill().await }), 32);
    }
    assert_eq!(ex.in_flight(), 0);
    let _ = run::memory();
}

async fn poll_once<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx))).await
}

/// Completes what is pending in the order of `picks`.
fn complete(script: &Script, picks: impl IntoIterator<Item = usize>) {
    let tokens: Vec<_> = (0..).map_while(|i| script.pending(i)).map(|op| op.token).collect();
    for pick in picks {
        script.complete(tokens[pick], 0);
    }
}

#[test]
fn completions_of_several_tasks_in_any_order_wake_each() {
    lab!(ex, script, run, pool = 3, ops = 4);
    for order in [
        [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        [8, 0, 4, 5, 1, 9, 11, 10, 7, 6, 2, 3],
    ] {
        let handles = ex.enter(|| [(); 3].map(|()| run::spawn(body(fill())).unwrap()));
        settle(&mut ex);
        complete(script, order);
        settle(&mut ex);
        for handle in &handles {
            assert_eq!(handle.peek(), Some(Ok(&4)));
        }
        assert_eq!(ex.in_flight(), 0);
    }
}

struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn an_operation_begun_with_a_foreign_waker_wakes_that() {
    lab!(ex, script, run, pool = 1, ops = 2);
    let count = Arc::new(Count(AtomicU32::new(0)));
    let waker = Waker::from(count.clone());
    let handle = ex.enter(|| {
        run::spawn(body(async move {
            let mut ops = [nop(), nop()];
            poll_fn(|cx| {
                let mut foreign = Context::from_waker(&waker);
                assert!(Pin::new(&mut ops[0]).poll(&mut foreign).is_pending());
                assert!(Pin::new(&mut ops[1]).poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            let [first, second] = ops;
            second.await.unwrap();
            // Its completion came with the other's, and woke whom it was begun for.
            assert_eq!(poll_once(first).await, Poll::Ready(Ok(())));
            1
        }))
    });
    settle(&mut ex);
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
    complete(script, [0, 1]);
    settle(&mut ex);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(handle.unwrap().peek(), Some(Ok(&1)));
}
