//! `cargo bench -p unboxed-benches`: tasks and operations against the bare `io-uring` crate, interleaved.

use io_uring::{IoUring, cqueue, opcode};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use unboxed::op::{Nop, nop};
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed::yield_now;
use unboxed_benches::{median, ns_per_item};

const ROUNDS: usize = 21;
const ITEMS: u32 = 320_000;
const BATCH: usize = 32;

/// One task that has 32 operations in flight at a time.
#[unboxed::task(ops = 32)]
async fn join_32(items: u32) {
    for _ in 0..items / BATCH as u32 {
        Join { ops: std::array::from_fn(|_| Some(nop())), left: BATCH }.await;
    }
}

/// One of 32 tasks with one operation in flight each.
#[unboxed::task(pool = 32, ops = 1)]
async fn one_at_a_time(items: u32) {
    for _ in 0..items {
        nop().await.expect("a no-op");
    }
}

/// A task that ends at once.
#[unboxed::task(pool = 32, ops = 0)]
async fn identity(value: u32) -> u32 {
    value
}

/// A task that only yields.
#[unboxed::task(pool = 32, ops = 0)]
async fn yields(times: u32) {
    for _ in 0..times {
        yield_now().await;
    }
}

struct Join {
    ops: [Option<Nop>; BATCH],
    left: usize,
}

impl Future for Join {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for place in &mut this.ops {
            if let Some(op) = place
                && Pin::new(op).poll(cx).is_ready()
            {
                *place = None;
                this.left -= 1;
            }
        }
        if this.left == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn bare(ring: &mut IoUring) {
    let mut done = 0;
    while done < ITEMS {
        for _ in 0..BATCH {
            let entry = opcode::Nop::new().build().user_data(1);
            // SAFETY: R0: a no-op names no memory.
            unsafe { ring.submission().push(&entry) }.expect("room");
        }
        ring.submit_and_wait(BATCH).expect("enter");
        let completions = ring.completion();
        done += completions.map(|c: cqueue::Entry| c.user_data() as u32).sum::<u32>();
    }
}

fn tasks_32(runtime: &mut Runtime, spawn: impl Fn() -> unboxed::JoinHandle<()>) {
    runtime.block_on(async {
        let handles: [_; BATCH] = std::array::from_fn(|_| spawn());
        for handle in handles {
            handle.await.expect("a task");
        }
    });
}

fn spawn_and_join(runtime: &mut Runtime) {
    runtime.block_on(async {
        for value in 0..ITEMS / BATCH as u32 {
            let handles: [_; BATCH] = std::array::from_fn(|_| identity::spawn(value).expect("a block"));
            yield_now().await;
            for handle in handles {
                assert_eq!(handle.await, Ok(value));
            }
        }
    });
}

fn main() {
    static CELL: RuntimeCell = RuntimeCell::new();
    let mut runtime = match CELL.start(Config::new()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_no_sqarray();
    let mut ring = builder.build(256).expect("a ring");
    let mut rows: [Vec<f64>; 5] = Default::default();
    for _ in 0..ROUNDS {
        rows[0].push(ns_per_item(ITEMS, || bare(&mut ring)));
        rows[1].push(ns_per_item(ITEMS, || {
            runtime.block_on(async { join_32::spawn(ITEMS).expect("a block").await.expect("a task") });
        }));
        let each = ITEMS / BATCH as u32;
        rows[2].push(ns_per_item(ITEMS, || {
            tasks_32(&mut runtime, || one_at_a_time::spawn(each).expect("a block"));
        }));
        rows[3].push(ns_per_item(ITEMS, || spawn_and_join(&mut runtime)));
        rows[4].push(ns_per_item(ITEMS, || {
            tasks_32(&mut runtime, || yields::spawn(each).expect("a block"));
        }));
    }
    let [bare, joined, many, spawned, yielded] = rows.each_mut().map(|row| median(row));
    println!("medians of {ROUNDS} interleaved rounds of {ITEMS}");
    println!("no-op, bare ring, batches of 32      {bare:6.1} ns");
    println!("no-op, one task joins 32             {joined:6.1} ns  {:3.0} % of bare", bare / joined * 100.0);
    println!("no-op, 32 tasks with one each        {many:6.1} ns  {:3.0} % of bare", bare / many * 100.0);
    println!("spawn and join of a static task      {spawned:6.1} ns");
    println!("yield                                {yielded:6.1} ns");
}
