//! A job takes nothing from the heap. Alone in its process, and without a harness, whose threads
//! use the heap while the test runs.

use std::ops::ControlFlow;
use std::sync::Barrier;
use std::time::Duration;
use unboxed::alloc::Counting;
use unboxed::blocking::{BlockingPool, CpuPool, block_in_place};
use unboxed::op::Operation;
use unboxed::rt::{Config, RuntimeCell};

#[global_allocator]
static HEAP: Counting = Counting::new();

fn main() {
    static POOL: BlockingPool<2, 8, 64> = BlockingPool::new();
    static CPU: CpuPool<1, 4, 64> = CpuPool::new();
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
        CPU.start("computing", 5).expect("a thread");
        CPU.run(|_| ()).await.expect("no panic");
        let before = HEAP.allocations();
        for round in 0..1000u64 {
            assert_eq!(POOL.run(move || round * 2).await.expect("no panic"), round * 2);
        }
        for _ in 0..100 {
            drop(POOL.reserve().await.expect("open").submit(|| ()));
            let _ = POOL.reserve().await.expect("open").submit(|| ()).cancel().await;
        }
        for round in 0..100u32 {
            assert_eq!(
                CPU.run(move |slice| (round, slice.is_due())).await.expect("no panic"),
                (round, false)
            );
            let mut left = round;
            let step = move || match left.checked_sub(1) {
                Some(less) => {
                    left = less;
                    ControlFlow::Continue(())
                }
                None => ControlFlow::Break(round),
            };
            assert_eq!(CPU.run_in_slices(step).await.expect("no panic"), round);
            assert_eq!(block_in_place(|| round), round);
        }
        HEAP.allocations() - before
    });
    assert_eq!(allocated, 0);
    assert_eq!(POOL.close(Duration::from_secs(5)).stuck + CPU.close(Duration::from_secs(5)).stuck, 0);
    println!("a_job_costs_no_allocation: ok");
}
