//! Multishot operations, on the scripted loop.
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use unboxed::event_loop::Descriptor;
use unboxed::op::{Error, Multishot, ResultQueue};
use unboxed_tests::{Shared, body, drain, lab, poll_once, settle};

fn readiness() -> Descriptor {
    Descriptor::Poll { file: 0, events: 1, multishot: true }
}

#[test]
fn a_multishot_gives_results_in_order_and_is_armed_again_after_an_overflow() {
    static QUEUE: ResultQueue = ResultQueue::new();
    lab!(ex, script, run, pool = 1, ops = 1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let handle = ex
        .enter(|| {
            run::spawn(body(async move {
                // SAFETY: the script's file names nothing.
                let mut shot = unsafe { Multishot::new(readiness(), &QUEUE) }.unwrap();
                // SAFETY: as above.
                assert!(unsafe { Multishot::new(readiness(), &QUEUE) }.is_none());
                for _ in 0..42 {
                    let result = shot.next().await.unwrap();
                    log.lock().unwrap().push(result);
                }
                1
            }))
        })
        .unwrap();
    settle(&mut ex);
    let first = script.pending(0).unwrap().token;
    for i in 0..40 {
        script.complete_more(first, i);
    }
    settle(&mut ex);
    assert_eq!(*seen.lock().unwrap(), (0..32).collect::<Vec<u32>>());
    assert_eq!(QUEUE.lost(), 8);
    let second = script.pending(0).expect("armed again").token;
    assert_ne!(first, second);
    for i in 100..110 {
        script.complete_more(second, i);
    }
    settle(&mut ex);
    assert_eq!(seen.lock().unwrap()[32..], (100..110).collect::<Vec<u32>>());
    assert_eq!(ex.block_on(handle), Ok(1));
    drain(&mut ex, script);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
    // SAFETY: as above.
    assert!(unsafe { Multishot::new(readiness(), &QUEUE) }.is_some(), "the queue is free again");
}

#[test]
fn a_multishot_whose_task_ended_leaves_its_queue_once() {
    static QUEUE: ResultQueue = ResultQueue::new();
    lab!(ex, script, run, pool = 2, ops = 1);
    let shared: Shared<Multishot> = Shared::default();
    let (ours, theirs) = (shared.clone(), shared.clone());
    let owner = ex
        .enter(|| {
            run::spawn(body(async move {
                // SAFETY: the script's file names nothing.
                let mut shot = unsafe { Multishot::new(readiness(), &QUEUE) }.unwrap();
                {
                    let next = pin!(shot.next());
                    let mut next = next;
                    assert!(poll_once(&mut next).await.is_pending());
                }
                *ours.lock().unwrap() = Some(shot);
                pending().await
            }))
        })
        .unwrap();
    settle(&mut ex);
    let other = ex
        .enter(|| {
            run::spawn(body(async move {
                let mut shot = theirs.lock().unwrap().take().unwrap();
                assert_eq!(shot.next().await, Err(Error::TaskEnded));
                // SAFETY: as above.
                assert!(unsafe { Multishot::new(readiness(), &QUEUE) }.is_none(), "it is still this one's");
                1
            }))
        })
        .unwrap();
    settle(&mut ex);
    owner.abort();
    drop(owner);
    drain(&mut ex, script);
    assert_eq!(ex.block_on(other), Ok(1));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
    // SAFETY: as above.
    assert!(unsafe { Multishot::new(readiness(), &QUEUE) }.is_some());
}
