//! The root task: left early, forgotten, panicking, and its worker closed and started again.
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use unboxed::exec::{Budget, RootStep};
use unboxed::op::nop;
use unboxed_tests::{Drops, body, drain, lab, settle, turn};

#[test]
fn a_root_future_may_be_dropped_early_and_the_next_one_runs() {
    lab!(ex, script, run, pool = 1, ops = 1);
    for _ in 0..3 {
        let mut rooted = pin!(unboxed::exec::Rooted::new(async { nop().await.unwrap() }));
        let mut root = ex.root(rooted.as_mut());
        assert!(matches!(root.turn(Budget::POLL), RootStep::Pending(_)));
    }
    assert_eq!(ex.block_on(async { 8 }), 8);
    drain(&mut ex, script);
    assert_eq!(ex.in_flight(), 0);
    let _ = run::memory();
}

#[test]
fn a_forgotten_root_run_leaves_no_body_behind() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
    {
        let keep = kept.clone();
        let mut rooted = pin!(unboxed::exec::Rooted::new(poll_fn(move |cx| {
            *keep.lock().unwrap() = Some(cx.waker().clone());
            Poll::<u64>::Pending
        })));
        let mut root = ex.root(rooted.as_mut());
        root.turn(Budget::POLL);
        std::mem::forget(root);
    }
    let waker = kept.lock().unwrap().take().unwrap();
    waker.wake_by_ref();
    assert_eq!(ex.block_on(async { 1 }), 1);
    waker.wake();
    settle(&mut ex);
    let _ = run::memory();
}

#[test]
fn roots_that_leave_operations_in_flight_do_not_share_slots() {
    lab!(ex, script, run, pool = 1, ops = 1);
    script.on_cancel(unboxed::event_loop::scripted::OnCancel::Ignore);
    for round in 0..4 {
        let mut rooted = pin!(unboxed::exec::Rooted::new(async {
            let (a, b) = (nop(), nop());
            let (mut a, mut b) = (pin!(a), pin!(b));
            poll_fn(|cx| {
                let _ = (a.as_mut().poll(cx), b.as_mut().poll(cx));
                Poll::<()>::Pending
            })
            .await
        }));
        let mut root = ex.root(rooted.as_mut());
        root.turn(Budget::POLL);
        drop(root);
        assert_eq!(script.pending_len(), 2 * (round + 1));
    }
    drain(&mut ex, script);
    assert_eq!(ex.in_flight(), 0);
    for _ in 0..3 {
        script.automatic(Some(|_| Some(0)));
        ex.block_on(async { nop().await.unwrap() });
    }
    let _ = run::memory();
}

#[test]
fn a_panicking_root_unwinds_and_the_worker_goes_on() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let handle = ex
        .enter(|| {
            run::spawn(body(async {
                nop().await.unwrap();
                3
            }))
        })
        .unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| ex.block_on(async { panic!("root") })));
    assert!(panic.is_err());
    drain(&mut ex, script);
    assert_eq!(ex.block_on(handle), Ok(3));
    assert!(!turn(&mut ex));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn a_closed_worker_starts_again() {
    lab!(ex, script, run, pool = 2, ops = 1);
    let drops = Drops::default();
    let value = drops.value();
    ex.enter(|| {
        run::spawn(body(async move {
            let _v = value;
            pending().await
        }))
    })
    .unwrap()
    .detach();
    settle(&mut ex);
    let report = ex.close(0);
    assert_eq!((report.aborted, report.detached, drops.count()), (1, 0, 1));
    assert_eq!(run::memory().used, 0);
    let mut ex = unboxed::exec::Executor::start(&WORKER, &SCRIPT, 0).unwrap();
    assert_eq!(ex.block_on(async { run::spawn(body(async { 1 })).unwrap().await }), Ok(1));
    assert_eq!(run::memory().used, 0);
}

#[test]
fn one_loop_serves_one_worker_at_a_time() {
    use unboxed::exec::{Executor, WorkerStorage};
    static SCRIPT: unboxed_tests::Script = unboxed_tests::Script::new();
    static FIRST: WorkerStorage<1, 0> = WorkerStorage::new();
    static SECOND: WorkerStorage<1, 0> = WorkerStorage::new();
    let first = Executor::start(&FIRST, &SCRIPT, 0).unwrap();
    assert!(Executor::start(&SECOND, &SCRIPT, 0).is_err());
    assert_eq!(first.close(0).detached, 0);
    assert!(Executor::start(&SECOND, &SCRIPT, 0).is_ok());
}

#[test]
fn a_forgotten_root_ends_with_its_runtime_however_late_it_is_woken() {
    static SCRIPT: unboxed_tests::Script = unboxed_tests::Script::new();
    static WORKER: unboxed::exec::WorkerStorage<2, 0> = unboxed::exec::WorkerStorage::new();
    let mut ex = unboxed::exec::Executor::start(&WORKER, &SCRIPT, 0).unwrap();
    let left = Arc::new(Mutex::new(None));
    let leaves = left.clone();
    let mut rooted = Box::pin(unboxed::exec::Rooted::new(poll_fn(move |cx| {
        *leaves.lock().unwrap() = Some(cx.waker().clone());
        Poll::<()>::Pending
    })));
    let mut root = ex.root(rooted.as_mut());
    root.turn(Budget::POLL);
    std::mem::forget(root);
    drop(ex);
    left.lock().unwrap().take().unwrap().wake();
    // On a loop of its own: the first is closed for good.
    static SECOND: unboxed_tests::Script = unboxed_tests::Script::new();
    let mut ex = unboxed::exec::Executor::start(&WORKER, &SECOND, 0).unwrap();
    assert_eq!(ex.block_on(async { 5 }), 5);
}
