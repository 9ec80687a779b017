//! A job takes nothing from the heap. Alone in its process, and without a harness, whose threads
//! use the heap while the test runs.

use std::sync::Barrier;
use std::time::Duration;
use unboxed::alloc::Counting;
use unboxed::blocking::BlockingPool;
use unboxed::op::Operation;
use unboxed::rt::{Config, RuntimeCell};

#[global_allocator]
static HEAP: Counting = Counting::new();

fn main() {
    static POOL: BlockingPool<2, 8, 64> = BlockingPool::new();
    static BOTH: Barrier = Barrier::new(2);
    static CELL: RuntimeCell<16> = RuntimeCell::new();
    POOL.start("counted").expect("threads");
    let allocated = CELL.start(Config::new()).expect("a runtime").block_on(async {
        // Both threads have started, which std does on the heap, once they meet.
        let meets = || {
            BOTH.wait();
        };
        let (one, other) = (POOL.submit(meets).expect("a place"), POOL.submit(meets).expect("a place"));
        one.await.expect("no panic");
        other.await.expect("no panic");
        let before = HEAP.allocations();
        for round in 0..1000u64 {
            assert_eq!(POOL.run(move || round * 2).await.expect("no panic"), round * 2);
        }
        for _ in 0..100 {
            drop(POOL.reserve().await.expect("open").submit(|| ()));
            let _ = POOL.reserve().await.expect("open").submit(|| ()).cancel().await;
        }
        HEAP.allocations() - before
    });
    assert_eq!(allocated, 0);
    assert_eq!(POOL.close(Duration::from_secs(5)).stuck, 0);
    println!("a_job_costs_no_allocation: ok");
}
