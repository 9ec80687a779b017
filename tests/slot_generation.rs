//! A handle whose task has ended matches no later operation in its slot. With a generation of 29 bits it did after 2^29 of
//! them, which take a minute: `SLOT_CHURN=536870911` shows that (`.ci/deep`).
#![forbid(unsafe_code)]
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::Poll;
use unboxed::event_loop::scripted::ScriptedLoop;
use unboxed::exec::{Executor, WorkerStorage};
use unboxed::op::{Error, Nop, nop};

static SCRIPT: ScriptedLoop<64> = ScriptedLoop::new();
static WORKER: WorkerStorage<1, 0> = WorkerStorage::new();
static KEPT: Mutex<Option<Nop>> = Mutex::new(None);

/// One block, one slot.
#[unboxed::task(pool = 1, ops = 1)]
async fn user(churn: u32) -> Option<Poll<Result<(), Error>>> {
    let mut op = nop();
    for _ in 0..churn {
        nop().await.unwrap();
    }
    SCRIPT.automatic(None);
    let pending = poll_fn(|cx| Poll::Ready(Pin::new(&mut op).poll(cx).is_pending())).await;
    assert!(pending);
    let Some(mut stale) = KEPT.lock().unwrap().take() else {
        *KEPT.lock().unwrap() = Some(op);
        return None;
    };
    Some(poll_fn(|cx| Poll::Ready(Pin::new(&mut stale).poll(cx))).await)
}

#[test]
fn a_handle_of_a_task_that_ended_never_matches_again() {
    let mut ex = Executor::start(&WORKER, &SCRIPT, 0).unwrap();
    let first = ex.block_on(async { user::spawn(0).unwrap().await });
    assert_eq!(first, Ok(None));
    while user::memory().used > 0 {
        ex.turn(unboxed::exec::Budget::POLL);
    }
    SCRIPT.automatic(Some(|_| Some(0)));
    let churn =
        std::env::var("SLOT_CHURN").map_or(1000, |text| text.parse().expect("a number of operations"));
    let found = ex.block_on(async { user::spawn(churn).unwrap().await });
    assert_eq!(found, Ok(Some(Poll::Ready(Err(Error::TaskEnded)))));
}
