//! Recursion without a heap: a countdown that restarts in its own place, and a tree walk in a stack of frames.

use std::future::Future;
use unboxed::recursion::{DepthExhausted, Frames, Tail, tail};
use unboxed::task::Bytes;
use unboxed_examples::Args;

const USAGE: &str = "\
Counts down in one place, and walks a tree in a stack of frames.

usage: recursion [--rounds N] [--depth N]

  --rounds N   rounds of the countdown (default 10000000)
  --depth N    depth of the tree (default 16)
  --help       prints this";

/// Each round's future lies where the one before lay.
#[unboxed::task]
async fn count_down(rounds: u64) -> u64 {
    tail((rounds, 0), async |(left, done)| match left {
        0 => Tail::Done(done),
        _ => Tail::Again((left - 1, done + 1)),
    })
    .await
}

/// Leaves of a tree whose nodes have two branches. A recursion says in its signature that it is `Send`.
#[expect(clippy::manual_async_fn, reason = "its type must be named before its body is known")]
fn leaves(mut frames: Frames<'_>, depth: u32) -> impl Future<Output = Result<u64, DepthExhausted>> + Send {
    async move {
        if depth == 0 {
            return Ok(1);
        }
        let left = frames.call(|frames| leaves(frames, depth - 1)).await??;
        let right = frames.call(|frames| leaves(frames, depth - 1)).await??;
        Ok(left + right)
    }
}

/// The frames lie in the task's own bytes.
#[unboxed::task(bytes = 4096)]
async fn walk(depth: u32, bytes: Bytes<'_>) -> Result<u64, DepthExhausted> {
    let frames = Frames::in_bytes(bytes).expect("no operation holds the bytes");
    println!("walk: {} bytes for frames", frames.left());
    leaves(frames, depth).await
}

#[unboxed::main]
async fn main() {
    let mut args = Args::parse(USAGE);
    let rounds = args.value("--rounds", 10_000_000);
    let depth = args.value("--depth", 16);
    args.finish();

    let done = count_down::spawn(rounds).expect("a block").await.expect("no panic");
    println!("count_down: {done} rounds in one block of {} bytes", count_down::memory().block_bytes);
    match walk::spawn(depth).expect("a block").await.expect("no panic") {
        Ok(leaves) => println!("walk: {leaves} leaves at depth {depth}"),
        Err(error) => println!("walk: {error}"),
    }
}
