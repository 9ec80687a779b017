//! `cargo bench -p unboxed-benches --bench channel`: a value there and one back between two tasks of one worker.

use unboxed::channel::Channel;
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed::sync::{Local, Tasks};
use unboxed::yield_now;
use unboxed_benches::{median, ns_per_item};

const ROUNDS: usize = 31;
const ITEMS: u32 = 200_000;

type Pair<D> = (Channel<u32, 1, D>, Channel<u32, 1, D>);

static SHARED: Pair<Tasks> = (Channel::new(), Channel::new());

thread_local! {
    static LOCAL: &'static Pair<Local> = Box::leak(Box::default());
}

#[unboxed::task(ops = 0)]
async fn echo_shared(times: u32) {
    for _ in 0..times {
        let value = SHARED.0.recv().await.expect("open");
        SHARED.1.send(value).await.expect("open");
    }
}

#[unboxed::task(ops = 0)]
async fn ask_shared(times: u32) {
    for value in 0..times {
        SHARED.0.send(value).await.expect("open");
        assert_eq!(SHARED.1.recv().await, Ok(value));
    }
}

#[unboxed::task(ops = 0, local)]
async fn echo_local(times: u32) {
    let pair = LOCAL.with(|pair| *pair);
    for _ in 0..times {
        let value = pair.0.recv().await.expect("open");
        pair.1.send(value).await.expect("open");
    }
}

#[unboxed::task(ops = 0, local)]
async fn ask_local(times: u32) {
    let pair = LOCAL.with(|pair| *pair);
    for value in 0..times {
        pair.0.send(value).await.expect("open");
        assert_eq!(pair.1.recv().await, Ok(value));
    }
}

/// Two polls by the queue, nothing else: what a round trip costs at least.
#[unboxed::task(pool = 2, ops = 0)]
async fn yields(times: u32) {
    for _ in 0..times {
        yield_now().await;
    }
}

macro_rules! both {
    ($runtime:ident, $one:expr, $other:expr) => {
        $runtime.block_on(async {
            let (one, other) = ($one.expect("a block"), $other.expect("a block"));
            one.await.expect("a task");
            other.await.expect("a task");
        })
    };
}

fn measure(runtime: &mut Runtime) -> [f64; 3] {
    [
        ns_per_item(ITEMS, || both!(runtime, yields::spawn(ITEMS), yields::spawn(ITEMS))),
        ns_per_item(ITEMS, || both!(runtime, echo_local::spawn(ITEMS), ask_local::spawn(ITEMS))),
        ns_per_item(ITEMS, || both!(runtime, echo_shared::spawn(ITEMS), ask_shared::spawn(ITEMS))),
    ]
}

fn main() {
    static CELL: RuntimeCell = RuntimeCell::new();
    let mut runtime = match CELL.start(Config::new()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    let mut rows: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (row, ns) in rows.iter_mut().zip(measure(&mut runtime)) {
            row.push(ns);
        }
    }
    let [bare, local, shared] = rows.each_mut().map(|row| median(row));
    println!("medians of {ROUNDS} interleaved rounds of {ITEMS}");
    println!("two yields                        {bare:6.1} ns");
    println!("round trip, channel(1) of Local   {local:6.1} ns");
    println!("round trip, channel(1) of Tasks   {shared:6.1} ns");
}
