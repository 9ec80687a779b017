//! The paths whose instructions are counted: `.ci/counts` runs this under callgrind, which counts only inside
//! `measured`, and compares with `counts.txt`.
//!
//! usage: counts PATH; each prints how many items it measured.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use unboxed::exec::Budget;
use unboxed::op::{Nop, nop};
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed::{JoinHandle, yield_now};

const ROUNDS: u32 = 100;
const BATCH: usize = 32;

/// Where callgrind counts.
#[inline(never)]
fn measured<R>(f: impl FnOnce() -> R) -> R {
    std::hint::black_box(f())
}

#[unboxed::task(pool = 32, ops = 0)]
async fn identity(value: usize) -> usize {
    value
}

#[unboxed::task(pool = 32, ops = 0)]
async fn yields() {
    loop {
        yield_now().await;
    }
}

thread_local! {
    static WAKERS: [Cell<Option<Waker>>; BATCH] = const { [const { Cell::new(None) }; BATCH] };
}

/// Leaves its waker, and waits.
#[unboxed::task(pool = 32, ops = 0)]
async fn waits(place: usize) {
    poll_fn(|cx| {
        WAKERS.with(|wakers| wakers[place].set(Some(cx.waker().clone())));
        Poll::<()>::Pending
    })
    .await;
}

/// Has 32 no-ops in flight at a time; counted is their first poll, or their second.
#[unboxed::task(ops = 32)]
async fn operations(submit: bool) {
    for _ in 0..ROUNDS {
        let mut ops = pin!(std::array::from_fn::<Nop, BATCH, _>(|_| nop()));
        let poll_all = |ops: &mut [Nop], cx: &mut Context<'_>| {
            ops.iter_mut().map(|op| u32::from(Pin::new(op).poll(cx).is_ready())).sum::<u32>()
        };
        poll_fn(|cx| {
            if submit {
                measured(|| poll_all(&mut ops[..], cx));
            } else {
                poll_all(&mut ops[..], cx);
            }
            Poll::Ready(())
        })
        .await;
        yield_until_done().await;
        poll_fn(|cx| {
            let done =
                if submit { poll_all(&mut ops[..], cx) } else { measured(|| poll_all(&mut ops[..], cx)) };
            assert_eq!(done, BATCH as u32, "one turn completes all no-ops");
            Poll::Ready(())
        })
        .await;
    }
}

/// Pending once: the operations wake it.
async fn yield_until_done() {
    let mut first = true;
    poll_fn(|_| if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// Turns until nothing is left to do.
fn settle(runtime: &mut Runtime) {
    while runtime.turn(Budget::POLL).more {}
}

fn spawn_all(runtime: &mut Runtime, measure: bool) -> [JoinHandle<usize>; BATCH] {
    let all = || std::array::from_fn(|value| identity::spawn(value).expect("a block"));
    runtime.enter(|| if measure { measured(all) } else { all() })
}

/// One of spawning, running to the end, joining: which of the three is counted.
fn lives(runtime: &mut Runtime, which: usize) -> u32 {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..ROUNDS {
        let mut handles = spawn_all(runtime, which == 0);
        if which == 1 {
            measured(|| runtime.turn(Budget::POLL));
        } else {
            runtime.turn(Budget::POLL);
        }
        let mut join = || handles.iter_mut().for_each(|h| assert!(Pin::new(h).poll(&mut cx).is_ready()));
        if which == 2 { measured(join) } else { join() }
    }
    ROUNDS * BATCH as u32
}

fn yielding(runtime: &mut Runtime) -> u32 {
    runtime.enter(|| (0..BATCH).for_each(|_| yields::spawn().expect("a block").detach()));
    let mut polls = 0;
    for _ in 0..ROUNDS {
        polls += measured(|| runtime.turn(Budget::POLL)).polls;
    }
    polls
}

/// Waking tasks that wait: the wakes, or the turn that polls them.
fn waking(runtime: &mut Runtime) -> u32 {
    runtime.enter(|| (0..BATCH).for_each(|place| waits::spawn(place).expect("a block").detach()));
    for _ in 0..ROUNDS {
        settle(runtime);
        let wakers = WAKERS.with(|wakers| wakers.each_ref().map(|cell| cell.take().expect("it waits")));
        runtime.enter(|| measured(|| wakers.iter().for_each(Waker::wake_by_ref)));
    }
    ROUNDS * BATCH as u32
}

fn operating(runtime: &mut Runtime, submit: bool) -> u32 {
    runtime.block_on(async { operations::spawn(submit).expect("a block").await.expect("a task") });
    ROUNDS * BATCH as u32
}

/// The turns that submit to the kernel, reap, and wake the task, with its polls.
fn turning(runtime: &mut Runtime) -> u32 {
    runtime.enter(|| operations_quiet::spawn().expect("a block").detach());
    for _ in 0..ROUNDS {
        measured(|| runtime.turn(Budget::POLL));
    }
    ROUNDS * BATCH as u32
}

/// As `operations`, for ever, and never counted inside.
#[unboxed::task(ops = 32)]
async fn operations_quiet() {
    loop {
        let mut ops = pin!(std::array::from_fn::<Nop, BATCH, _>(|_| nop()));
        poll_fn(|cx| {
            let done = ops.iter_mut().map(|op| u32::from(Pin::new(op).poll(cx).is_ready())).sum::<u32>();
            if done == BATCH as u32 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

fn main() {
    static CELL: RuntimeCell = RuntimeCell::new();
    let mut runtime = match CELL.start(Config::new()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    let runtime = &mut runtime;
    let path = std::env::args().nth(1).unwrap_or_default();
    let items = match path.as_str() {
        "spawn" => lives(runtime, 0),
        "run" => lives(runtime, 1),
        "join" => lives(runtime, 2),
        "yield" => yielding(runtime),
        "wake" => waking(runtime),
        "submit" => operating(runtime, true),
        "complete" => operating(runtime, false),
        "operation" => turning(runtime),
        _ => {
            eprintln!("usage: counts spawn|run|join|yield|wake|submit|complete|operation");
            std::process::exit(2);
        }
    };
    println!("items {items}");
}
