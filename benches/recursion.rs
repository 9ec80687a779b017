//! A call into a `FrameStack` against a call of a boxed future, interleaved: the same tree both ways.

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use unboxed::recursion::{DepthExhausted, FrameStack, Frames};
use unboxed_benches::{median, ns_per_item};

const ROUNDS: usize = 21;
/// Calls of a tree of this depth.
const DEPTH: u32 = 15;
const CALLS: u32 = (1 << (DEPTH + 1)) - 1;
const REPEAT: u32 = 10;

static STACK: FrameStack<{ 16 << 10 }> = FrameStack::new();

/// Waits once at a leaf when `waits`, so that each level is polled again.
#[expect(clippy::manual_async_fn, reason = "a recursion says in its signature that it is Send")]
fn framed(
    mut frames: Frames<'_>,
    depth: u32,
    waits: bool,
) -> impl Future<Output = Result<u64, DepthExhausted>> + Send {
    async move {
        if depth == 0 {
            leaf(waits).await;
            return Ok(1);
        }
        let left = frames.call(|frames| framed(frames, depth - 1, waits)).await??;
        let right = frames.call(|frames| framed(frames, depth - 1, waits)).await??;
        Ok(left + right)
    }
}

fn boxed(depth: u32, waits: bool) -> Pin<Box<dyn Future<Output = Result<u64, DepthExhausted>> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            leaf(waits).await;
            return Ok(1);
        }
        let left = boxed(depth - 1, waits).await?;
        let right = boxed(depth - 1, waits).await?;
        Ok(left + right)
    })
}

async fn leaf(waits: bool) {
    let mut polled = !waits;
    std::future::poll_fn(|_| match std::mem::replace(&mut polled, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

fn run<F: Future<Output = Result<u64, DepthExhausted>>>(make: impl Fn() -> F) -> f64 {
    ns_per_item(CALLS * REPEAT, || {
        for _ in 0..REPEAT {
            let mut future = pin!(make());
            let mut cx = Context::from_waker(Waker::noop());
            loop {
                if let Poll::Ready(leaves) = future.as_mut().poll(&mut cx) {
                    assert_eq!(leaves, Ok(1 << DEPTH));
                    break;
                }
            }
        }
    })
}

fn main() {
    println!("medians of {ROUNDS} interleaved rounds of {} calls", CALLS * REPEAT);
    for (name, waits) in [("never waits", false), ("waits at each leaf", true)] {
        let mut rows: [Vec<f64>; 2] = Default::default();
        for _ in 0..ROUNDS {
            rows[0].push(run(|| boxed(black_box(DEPTH), black_box(waits))));
            rows[1].push(run(|| framed(STACK.frames().expect("free"), black_box(DEPTH), black_box(waits))));
        }
        let [boxed, framed] = rows.each_mut().map(|row| median(row));
        println!(
            "{name:20} boxed {boxed:6.1} ns  frame stack {framed:6.1} ns  {:4.2} of boxed",
            framed / boxed
        );
    }
}
