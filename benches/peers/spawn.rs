//! Tasks of an arena against tokio's current-thread spawn, interleaved: started and joined, in batches and singly.

use std::future::Future;
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed::storage::{Arena, BodyAlloc, Bump, Heap, Slab, TaskTable};
use unboxed_benches::{median, ns_per_item};

const ROUNDS: usize = 21;
const ITEMS: u32 = 320_000;
const BATCH: usize = 32;

static TABLE: TaskTable<BATCH, 0> = TaskTable::new();
static SLAB: Slab<192, BATCH> = Slab::new();
static BUMP: Bump<8192> = Bump::new();
static HEAP: Arena<Heap> = Arena::new("heap", Heap);

/// What each task runs: it holds a few words, as the least of real ones would.
fn body(value: u32) -> impl Future<Output = u32> + Send {
    let words = [u64::from(value); 8];
    async move { words[value as usize % 8] as u32 }
}

fn ours<A: BodyAlloc>(runtime: &mut Runtime, alloc: A, batch: usize) {
    runtime.block_on(async {
        for round in 0..ITEMS / batch as u32 {
            let mut handles = [const { None }; BATCH];
            for place in &mut handles[..batch] {
                *place = Some(TABLE.spawn(alloc.clone(), body(round)).expect("room"));
            }
            for handle in handles[..batch].iter_mut().flatten() {
                assert_eq!(handle.await, Ok(round));
            }
        }
    });
}

fn theirs(runtime: &tokio::runtime::Runtime, batch: usize) {
    runtime.block_on(async {
        for round in 0..ITEMS / batch as u32 {
            let mut handles = [const { None }; BATCH];
            for place in &mut handles[..batch] {
                *place = Some(tokio::spawn(body(round)));
            }
            for handle in handles[..batch].iter_mut().flatten() {
                assert_eq!(handle.await.expect("no panic"), round);
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
    let tokio = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    println!("medians of {ROUNDS} interleaved rounds of {ITEMS}: spawn and join of a task");
    for batch in [BATCH, 1] {
        let mut rows: [Vec<f64>; 5] = Default::default();
        for _ in 0..ROUNDS {
            rows[0].push(ns_per_item(ITEMS, || theirs(&tokio, batch)));
            rows[1].push(ns_per_item(ITEMS, || ours(&mut runtime, &SLAB, batch)));
            rows[2].push(ns_per_item(ITEMS, || ours(&mut runtime, &BUMP, batch)));
            rows[3].push(ns_per_item(ITEMS, || ours(&mut runtime, &HEAP, batch)));
            rows[4].push(ns_per_item(ITEMS, || ours(&mut runtime, Heap, batch)));
        }
        let least = rows.each_ref().map(|row| row.iter().copied().fold(f64::INFINITY, f64::min));
        let [theirs, slab, bump, counted, heap] = rows.each_mut().map(|row| median(row));
        println!("{batch:2} at a time: tokio {theirs:6.1} ns, least {:6.1}", least[0]);
        let rows = [
            ("a slab", slab, least[1]),
            ("a bump region", bump, least[2]),
            ("an arena on the heap", counted, least[3]),
            ("the heap", heap, least[4]),
        ];
        for (name, ours, least_ours) in rows {
            let (times, times_least) = (theirs / ours, least[0] / least_ours);
            println!(
                "    unboxed, {name:22} {ours:6.1} ns, {times:4.1} times as fast; least {least_ours:6.1}, {times_least:4.1} times"
            );
        }
    }
}
