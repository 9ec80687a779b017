//! The hot paths, each behind a function that callgrind knows by name: run by `.ci/counts`.
//!
//! | row | what |
//! |---|---|
//! | `spawn`, `join`, `wake` | that call alone: into a free block, of a task that has ended, of one that waits |
//! | `task` | spawn, run, join, and what lies between |
//! | `yield` | from the queue to the queue |
//! | `submit`, `take` | a no-op's first poll, and the one that takes its result |
//! | `complete` | what the worker and the ring do for it in between, per no-op |
//! | `joined`, `alone` | the whole way of a no-op: one task that has 32 in flight, 32 tasks with one each |
//! | `single` | the same for one task with one in flight: a turn of the worker each |
//! | `echo`, `bare` | a request of one of 64 connections: by a task each, and by a bare loop over the ring |
//! | `echoalone`, `barealone` | the same for one connection |
//! | `arena`, `lone` | as `task`, with the bodies in an arena: 32 at a time, and one at a time, a turn of the worker each |
//! | `timer`, `fire` | a timer that is begun and dropped, and one that is begun, fires and is seen to: 32 in a turn |
//! | `local`, `mutex`, `rwlock`, `semaphore`, `notify`, `watch` | taken and given back, told and seen, by one task |
//! | `handed`, `told`, `channel` | between two tasks: a mutex, a notification or a value there and back |
//!
//! Each function runs `CALLS` times, or one runs so many steps: its inclusive count over `CALLS` is the row.

mod arena;
mod echo;
mod sync;
mod timer;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use unboxed::JoinHandle;
use unboxed::op::{Nop, nop};
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed::yield_now;

const CALLS: u32 = 6400;
const BATCH: usize = 32;

thread_local! {
    static PARKED: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

#[unboxed::task(pool = 32, ops = 0)]
async fn identity(value: u32) -> u32 {
    value
}

#[unboxed::task(pool = 32, ops = 0)]
async fn yields(times: u32) {
    for _ in 0..times {
        yield_now().await;
    }
}

#[unboxed::task(pool = 32, ops = 1)]
async fn one_at_a_time(times: u32) {
    for _ in 0..times {
        nop().await.expect("a no-op");
    }
}

/// Parks itself for others to wake.
#[unboxed::task(ops = 0)]
async fn parks() {
    poll_fn(|cx| {
        PARKED
            .with_borrow_mut(|parked| parked.get_or_insert_with(|| cx.waker().clone()).will_wake(cx.waker()));
        Poll::<()>::Pending
    })
    .await;
}

/// Has 32 operations in flight at a time.
#[unboxed::task(ops = 32)]
async fn joins(times: u32) {
    for _ in 0..times / BATCH as u32 {
        let mut ops: [Nop; BATCH] = std::array::from_fn(|_| nop());
        poll_fn(|cx| {
            ops.iter_mut().for_each(|op| count_submit(op, cx));
            Poll::Ready(())
        })
        .await;
        let mut left = BATCH;
        poll_fn(|cx| {
            if left == BATCH {
                left = 0;
                return Poll::Pending;
            }
            ops.iter_mut().for_each(|op| count_take(op, cx));
            Poll::Ready(())
        })
        .await;
    }
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_spawn(value: u32) -> JoinHandle<u32> {
    identity::spawn(value).expect("a block")
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_join(handle: &mut JoinHandle<u32>, cx: &mut Context<'_>) {
    assert!(Pin::new(handle).poll(cx).is_ready());
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_wake(waker: &Waker) {
    waker.wake_by_ref();
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_submit(op: &mut Nop, cx: &mut Context<'_>) {
    assert!(Pin::new(op).poll(cx).is_pending());
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_take(op: &mut Nop, cx: &mut Context<'_>) {
    assert!(matches!(Pin::new(op).poll(cx), Poll::Ready(Ok(()))));
}

/// Spawn, run and join.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_task(runtime: &mut Runtime) {
    runtime.block_on(async {
        for value in 0..CALLS / BATCH as u32 {
            let mut handles: [_; BATCH] = std::array::from_fn(|_| count_spawn(value));
            yield_now().await;
            poll_fn(|cx| {
                handles.iter_mut().for_each(|handle| count_join(handle, cx));
                Poll::Ready(())
            })
            .await;
        }
    });
}

/// A yield, from the queue to the queue.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_yield(runtime: &mut Runtime) {
    tasks_32(runtime, || yields::spawn(CALLS / BATCH as u32).expect("a block"));
}

/// Submission, reaping, dispatch and taking, for one task with 32 no-ops in flight.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_joined(runtime: &mut Runtime) {
    runtime.block_on(async { joins::spawn(CALLS).expect("a block").await.expect("a task") });
}

/// The same for 32 tasks with one each.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_alone(runtime: &mut Runtime) {
    tasks_32(runtime, || one_at_a_time::spawn(CALLS / BATCH as u32).expect("a block"));
}

/// The same for one task with one in flight, which is a turn of the worker each.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_single(runtime: &mut Runtime) {
    runtime.block_on(async { one_at_a_time::spawn(CALLS).expect("a block").await.expect("a task") });
}

fn wakes(runtime: &mut Runtime) {
    runtime.block_on(async {
        let parked = parks::spawn().expect("a block");
        yield_now().await;
        let waker = PARKED.take().expect("it has parked");
        for _ in 0..CALLS {
            count_wake(&waker);
            yield_now().await;
        }
        parked.abort();
        assert!(parked.await.is_err());
    });
}

fn tasks_32(runtime: &mut Runtime, spawn: impl Fn() -> JoinHandle<()>) {
    runtime.block_on(async {
        let handles: [_; BATCH] = std::array::from_fn(|_| spawn());
        for handle in handles {
            handle.await.expect("a task");
        }
    });
}

fn main() {
    static CELL: RuntimeCell = RuntimeCell::new();
    let mut runtime = match CELL.start(Config::new()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    count_task(&mut runtime);
    wakes(&mut runtime);
    count_yield(&mut runtime);
    count_joined(&mut runtime);
    count_alone(&mut runtime);
    count_single(&mut runtime);
    arena::count_all(&mut runtime);
    timer::count_all();
    sync::count_all(&mut runtime);
    echo::count_all(&mut runtime);
    println!("calls {CALLS}");
}
