//! Timers, on a loop whose clock a script sets, so that the wheel turns alike in each run.

use super::{BATCH, CALLS};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use unboxed::event_loop::scripted::ScriptedLoop;
use unboxed::exec::{Executor, WorkerStorage};
use unboxed::time::{Sleep, sleep};

/// Has 32 timers at a time: `timer` drops them, `fire` waits for them.
#[unboxed::task(ops = 32)]
async fn sleeps(times: u32, waits: bool) {
    for round in 0..times / BATCH as u32 {
        // From a part of a millisecond to a second: the first levels, with none and one and two moves down.
        let duration = Duration::from_micros(100 << (round % 14));
        let mut timers: [Sleep; BATCH] = std::array::from_fn(|_| sleep(duration));
        if waits {
            poll_fn(|cx| all_begun(&mut timers, cx)).await;
            poll_fn(|cx| all_ended(&mut timers, cx)).await;
        } else {
            poll_fn(|cx| all_begun(&mut timers, cx)).await;
        }
    }
}

fn all_begun(timers: &mut [Sleep], cx: &mut Context<'_>) -> Poll<()> {
    timers.iter_mut().for_each(|timer| assert!(Pin::new(timer).poll(cx).is_pending()));
    Poll::Ready(())
}

fn all_ended(timers: &mut [Sleep], cx: &mut Context<'_>) -> Poll<()> {
    // All end with the same turn, so the first tells of the others.
    if Pin::new(&mut timers[0]).poll(cx).is_pending() {
        return Poll::Pending;
    }
    timers[1..].iter_mut().for_each(|timer| assert!(Pin::new(timer).poll(cx).is_ready()));
    Poll::Ready(())
}

/// A timer that is begun and dropped.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_timer(executor: &mut Executor) {
    executor.block_on(async { sleeps::spawn(CALLS, false).expect("a block").await.expect("a task") });
}

/// A timer that is begun, fires, and is seen to.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_fire(executor: &mut Executor) {
    executor.block_on(async { sleeps::spawn(CALLS, true).expect("a block").await.expect("a task") });
}

pub fn count_all() {
    static SCRIPT: ScriptedLoop<1> = ScriptedLoop::new();
    static WORKER: WorkerStorage<2, 0> = WorkerStorage::new();
    let mut executor = Executor::start(&WORKER, &SCRIPT, 0).expect("a worker");
    count_timer(&mut executor);
    count_fire(&mut executor);
}
