//! What a snapshot says of a worker.

use std::time::Duration;
use unboxed::exec::Executor;
use unboxed::observe::Snapshot;
use unboxed::op::nop;
use unboxed::time::sleep;
use unboxed_tests::{body, drain, lab, settle};

fn seen(ex: &Executor) -> Snapshot {
    let mut seen = Snapshot::new();
    assert!(ex.remote().snapshot(0, &mut seen));
    seen
}

#[test]
fn operations_are_counted_when_they_begin_and_when_they_end() {
    lab!(ex, script, run, pool = 4, ops = 4);
    let handles: [_; 3] = std::array::from_fn(|_| {
        ex.enter(|| {
            run::spawn(body(async {
                nop().await.unwrap();
                sleep(Duration::from_nanos(10)).await.unwrap();
                0
            }))
            .unwrap()
        })
    });
    ex.turn(unboxed::exec::Budget { polls: 3, completions: 0, ..unboxed::exec::Budget::POLL });
    let first = seen(&ex);
    assert_eq!((first.polls, first.submitted, first.completed, first.in_flight), (3, 3, 0, 3));
    drain(&mut ex, script);
    script.advance(1_000_000_000);
    settle(&mut ex);
    let last = seen(&ex);
    assert_eq!((last.submitted, last.completed, last.in_flight), (6, 6, 0));
    assert_eq!((last.orphaned, last.panics, last.starved, last.ring, last.outside), (0, 0, 0, 0, 0));
    drop(handles);
}

#[test]
fn dropped_operations_are_counted_as_orphans() {
    lab!(ex, script, run, pool = 1, ops = 4);
    let _task = ex.enter(|| {
        run::spawn(body(async {
            let _ = std::future::poll_fn(|cx| {
                let mut timer = std::pin::pin!(sleep(Duration::from_secs(1)));
                assert!(timer.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            0
        }))
        .unwrap()
    });
    drain(&mut ex, script);
    let seen = seen(&ex);
    assert_eq!((seen.submitted, seen.orphaned, seen.completed), (1, 1, 1));
}

#[test]
fn there_is_no_snapshot_of_a_worker_that_is_not() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let _ = run::memory();
    let mut place = Snapshot::new();
    place.polls = 7;
    assert!(!ex.remote().snapshot(1, &mut place));
    assert_eq!(place.polls, 7);
}
