//! Recursion in one place, and in a stack of frames.
#![expect(clippy::manual_async_fn, reason = "a recursion says in its signature that it is Send")]

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use unboxed::recursion::{DepthExhausted, FrameStack, Frames, Tail, tail};
use unboxed::sync::Notify;
use unboxed::task::Bytes;
use unboxed::yield_now;
use unboxed_tests::{Rng, drain, for_seeds, lab, settle};

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

/// The note's `rec-tail`.
#[unboxed::task(max_size = 256)]
async fn count_down(from: u64) -> u64 {
    tail((from, 0), async |(left, rounds)| match left {
        0 => Tail::Done(rounds),
        _ => Tail::Again((left - 1, rounds + 1)),
    })
    .await
}

#[test]
fn ten_million_rounds_in_one_block() {
    lab!(ex, script, run, pool = 1, ops = 0);
    let _ = run::memory();
    let mut handle = ex.enter(|| count_down::spawn(10_000_000)).unwrap();
    while !handle.is_finished() {
        ex.turn(unboxed::exec::Budget { polls: 100_000, ..unboxed::exec::Budget::POLL });
    }
    let output = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(output, Poll::Ready(Ok(10_000_000)));
    drop(handle);
    drain(&mut ex, script);
    assert_eq!(count_down::memory().used_max, 1);
}

fn fibonacci(mut frames: Frames<'_>, n: u64) -> impl Future<Output = Result<u64, DepthExhausted>> + Send {
    async move {
        if n < 2 {
            return Ok(n);
        }
        yield_now().await;
        let one = frames.call(|frames| fibonacci(frames, n - 1)).await??;
        let two = frames.call(|frames| fibonacci(frames, n - 2)).await??;
        Ok(one + two)
    }
}

#[test]
fn recursion_in_a_static_stack() {
    static STACK: FrameStack<{ 16 << 10 }> = FrameStack::new();
    let frames = STACK.frames().unwrap();
    assert!(STACK.frames().is_none(), "one recursion at a time");
    let whole = frames.left();
    assert_eq!(block_on(fibonacci(frames, 15)), Ok(610));
    let frames = STACK.frames().unwrap();
    assert_eq!(frames.left(), whole, "every frame is gone");
    let too_deep = block_on(fibonacci(frames, 1000)).unwrap_err();
    assert!(too_deep.needed > too_deep.left, "{too_deep}");
    assert!(STACK.frames().is_some());
}

/// The note's `rec-rec`, in the task's own bytes.
#[unboxed::task(pool = 2, ops = 1, bytes = 8192)]
async fn in_block(n: u64, bytes: Bytes<'_>) -> Result<u64, DepthExhausted> {
    let frames = Frames::in_bytes(bytes).expect("nothing is lent");
    fibonacci(frames, n).await
}

#[test]
fn recursion_in_a_block() {
    lab!(ex, script, run, pool = 1, ops = 0);
    let _ = run::memory();
    let mut handles = [12, 100].map(|n| ex.enter(|| in_block::spawn(n)).unwrap());
    settle(&mut ex);
    let outputs =
        handles.each_mut().map(|h| match Pin::new(h).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output.unwrap(),
            Poll::Pending => panic!("it has not ended"),
        });
    assert_eq!(outputs[0], Ok(144));
    assert!(outputs[1].is_err());
    drop(handles);
    drain(&mut ex, script);
    assert_eq!(in_block::memory().used, 0);
}

struct Logs(u32, &'static std::sync::Mutex<Vec<u32>>);

impl Drop for Logs {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

static ORDER: std::sync::Mutex<Vec<u32>> = std::sync::Mutex::new(Vec::new());

fn waits_at(mut frames: Frames<'_>, n: u32) -> impl Future<Output = ()> + Send {
    async move {
        let _logs = Logs(n, &ORDER);
        if n == 0 {
            std::future::pending::<()>().await;
        }
        let _ = frames.call(|frames| waits_at(frames, n - 1)).await;
    }
}

#[test]
fn frames_that_are_cancelled_in_the_middle_go_from_the_deepest() {
    static STACK: FrameStack<4096> = FrameStack::new();
    let mut future = Box::pin(waits_at(STACK.frames().unwrap(), 5));
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(future);
    assert_eq!(*ORDER.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    assert!(STACK.frames().is_some());
}

fn leaks_at(mut frames: Frames<'_>, n: u32) -> impl Future<Output = bool> + Send {
    async move {
        if n == 0 {
            let mut leaked = Box::pin(frames.call(|frames| waits_at(frames, 0)));
            poll_fn(|cx| Poll::Ready(leaked.as_mut().poll(cx).is_pending())).await;
            std::mem::forget(leaked);
            // What was leaked stays: on this level frames go above it.
            let left = frames.left();
            frames.call(|_| std::future::ready(())).await.unwrap();
            return frames.left() == left;
        }
        let first = frames.call(|frames| leaks_at(frames, n - 1)).await.unwrap_or(false);
        first && frames.call(|_| std::future::ready(())).await.is_err()
    }
}

#[test]
fn a_leaked_frame_is_never_written_over() {
    static STACK: FrameStack<4096> = FrameStack::new();
    // The levels below the one that leaked cannot tell how far up that reaches, and have no room any more; the
    // stack stays taken.
    let levels = block_on(async {
        let mut frames = STACK.frames().unwrap();
        let deep = frames.call(|frames| leaks_at(frames, 2)).await;
        (deep, frames.call(|_| std::future::ready(())).await.is_err())
    });
    assert_eq!(levels, (Ok(true), true));
    assert!(STACK.frames().is_none());
}

/// Random trees of calls against the plain recursion. After a call the stack has the room that it had before.
fn tree(mut frames: Frames<'_>, mut rng: Rng, depth: u32) -> impl Future<Output = u64> + Send {
    async move {
        let mut sum = rng.below(100);
        for _ in 0..rng.below(4) {
            let below = Rng::new(rng.draw());
            let left = frames.left();
            if rng.below(3) == 0 {
                // Polled once and dropped.
                {
                    let mut call = pin!(frames.call(|frames| tree(frames, below, depth.saturating_sub(1))));
                    poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await;
                }
                assert_eq!(frames.left(), left);
                continue;
            }
            if depth > 0 {
                sum += frames.call(|frames| tree(frames, below, depth - 1)).await.unwrap_or(1000);
            }
            assert_eq!(frames.left(), left);
        }
        sum
    }
}

fn plain_tree(mut rng: Rng, depth: u32) -> u64 {
    let mut sum = rng.below(100);
    for _ in 0..rng.below(4) {
        let below = Rng::new(rng.draw());
        if rng.below(3) == 0 {
            continue;
        }
        if depth > 0 {
            sum += plain_tree(below, depth - 1);
        }
    }
    sum
}

#[test]
fn random_trees_agree_with_plain_recursion() {
    static STACK: FrameStack<{ 64 << 10 }> = FrameStack::new();
    for_seeds(200, |seed| {
        let frames = STACK.frames().expect("given back after each");
        assert_eq!(block_on(tree(frames, Rng::new(seed), 5)), plain_tree(Rng::new(seed), 5));
    });
}

#[test]
fn a_right_that_is_kept_outside_of_its_frame_gives_nothing_once_that_is_gone() {
    static STACK: FrameStack<4096> = FrameStack::new();
    let mut frames = STACK.frames().unwrap();
    for leaks in [false, true] {
        {
            let mut kept = None;
            let call = frames.call(|rest| {
                kept = Some(rest);
                std::future::ready(())
            });
            drop(call);
            let mut kept = kept.unwrap();
            // It would lie in memory that the level below has back.
            let mut above = Box::pin(kept.call(|_| std::future::ready([7u8; 100])));
            let output = above.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(output, Poll::Ready(Err(DepthExhausted { left: 0, .. }))), "{output:?}");
            if leaks {
                std::mem::forget(above);
            }
        }
        assert_eq!(block_on(frames.call(|_| std::future::ready(1))), Ok(1));
    }
    drop(frames);
    assert!(STACK.frames().is_some());
}

#[test]
fn a_frame_above_a_kept_right_outlives_the_one_below_and_costs_its_level_the_room() {
    static STACK: FrameStack<4096> = FrameStack::new();
    let mut frames = STACK.frames().unwrap();
    {
        let mut kept = None;
        let below = frames.call(|rest| {
            kept = Some(rest);
            std::future::ready(())
        });
        let mut kept = kept.unwrap();
        let above = Box::pin(kept.call(|_| std::future::ready([7u8; 100])));
        drop(below);
        std::mem::forget(above);
    }
    assert!(block_on(frames.call(|_| std::future::ready(1))).is_err(), "the leaked frame stays");
    drop(frames);
    assert!(STACK.frames().is_none());
}

/// The counts of frames agree again once as many calls have ended out of turn as were leaked above.
#[test]
fn a_leaked_frame_is_never_written_over_by_a_kept_right_below_it() {
    static STACK: FrameStack<4096> = FrameStack::new();
    static NEWS: Notify = Notify::new();
    let mut cx = Context::from_waker(Waker::noop());
    let mut frames = STACK.frames().unwrap();
    {
        let mut first_right = None;
        let first = frames.call(|rest| {
            first_right = Some(rest);
            std::future::ready(())
        });
        let mut first_right = first_right.unwrap();
        {
            let mut second_right = None;
            let second = first_right.call(|rest| {
                second_right = Some(rest);
                std::future::ready(())
            });
            let mut second_right = second_right.unwrap();
            let mut waits = Box::pin(second_right.call(|_| NEWS.notified()));
            assert!(waits.as_mut().poll(&mut cx).is_pending());
            std::mem::forget(waits);
            drop(first);
            drop(second);
        }
        let output = block_on(first_right.call(|_| std::future::ready([7u8; 1000])));
        assert!(output.is_err(), "a frame over the one that was leaked");
    }
    // It lies where it lay, in the list of those who wait.
    NEWS.notify_one();
    drop(frames);
    assert!(STACK.frames().is_none());
}

#[test]
fn a_stack_on_which_calls_ended_out_of_turn_serves_again_once_all_have() {
    static STACK: FrameStack<4096> = FrameStack::new();
    let mut frames = STACK.frames().unwrap();
    {
        let mut kept = None;
        let below = frames.call(|rest| {
            kept = Some(rest);
            std::future::ready(())
        });
        let mut kept = kept.unwrap();
        let above = kept.call(|_| std::future::ready(()));
        drop(below);
        drop(above);
        assert!(block_on(kept.call(|_| std::future::ready(()))).is_err());
    }
    assert!(block_on(frames.call(|_| std::future::ready(()))).is_err());
    drop(frames);
    let mut frames = STACK.frames().expect("nothing is left in it");
    assert_eq!(block_on(frames.call(|_| std::future::ready(1))), Ok(1));
}
