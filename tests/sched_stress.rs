//! The same tasks on the real runtime: two to four threads with a ring each, and a plain thread that disturbs them.
//! `STRESS_TASKS` says how many.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use unboxed::rt::{Config, Mode, Runtime, RuntimeCell};
use unboxed::time::sleep;
use unboxed::yield_now;
use unboxed_tests::chaos::{World, disturb, refuses, spawn, used};
use unboxed_tests::{Rng, expect_panics};

const ROUNDS: usize = 6;
/// So long a task may live when all that it waits for comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A number for this thread.
fn here() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed)));
    NUMBER.get()
}

fn tasks() -> usize {
    std::env::var("STRESS_TASKS").ok().and_then(|tasks| tasks.parse().ok()).unwrap_or(6_000)
}

/// Spawns until there were so many tasks, and disturbs them.
async fn drive(world: &Arc<World>, rng: &mut Rng, tasks: usize) {
    while world.started.load(Ordering::Relaxed) < tasks {
        for _ in 0..rng.below(8) {
            spawn(world, rng, 3);
        }
        world.serve();
        if rng.below(2) == 0 {
            disturb(world, rng);
        }
        match rng.below(16) {
            0 => sleep(Duration::from_micros(rng.below(300))).await.unwrap(),
            _ => yield_now().await,
        }
        world.nothing_is_wrong();
    }
}

/// Until all plans have ended by themselves.
async fn settle(world: &Arc<World>) {
    let until = Instant::now() + PATIENCE;
    while !world.all_gone() {
        world.serve();
        sleep(Duration::from_micros(100)).await.unwrap();
        let doing = format!("{:?}", world.shared().doing);
        assert!(Instant::now() < until, "tasks are lost, at {doing}");
    }
    drop(std::mem::take(&mut *world.shared()));
    // What was still in flight holds blocks.
    while used() != [0; 4] {
        assert!(Instant::now() < until, "blocks and bytes do not come back: {:?}", used());
        sleep(Duration::from_micros(100)).await.unwrap();
    }
}

fn close(runtime: Runtime) {
    let report = runtime.close(Duration::from_secs(20));
    assert_eq!((report.detached, report.stuck), (0, 0));
}

/// After the close, and without the plain thread, which may have had a handle in its hands.
fn nothing_is_left(world: &Arc<World>) {
    world.nothing_is_wrong();
    let left = std::mem::take(&mut *world.shared());
    assert_eq!(left.born, left.gone, "tasks are lost in a close, at {:?}", left.doing);
    drop(left);
    assert!(refuses(world));
    world.all_is_back();
}

#[test]
fn random_tasks_on_threads_lose_nothing() {
    static CELL: RuntimeCell<4, 4> = RuntimeCell::new();
    expect_panics();
    // Not on the stack, where the next round's would be in the same place: the end of a scoped thread is one of the
    // standard library's, which ThreadSanitizer does not see.
    static ENDED: [AtomicBool; ROUNDS] = [const { AtomicBool::new(false) }; ROUNDS];
    for (round, ended) in ENDED.iter().enumerate() {
        let workers = 2 + round % 3;
        let mode = if round == 4 { Mode::PerCore } else { Mode::Stealing };
        let mut runtime = CELL.start(Config::new().workers(workers).mode(mode)).expect("a runtime");
        let world = World::new(runtime.remote(), mode, here, false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut rng = Rng::new(round as u64 + 100);
                while !ended.load(Ordering::Acquire) {
                    disturb(&world, &mut rng);
                    thread::sleep(Duration::from_micros(20));
                }
            });
            struct Ends<'a>(&'a AtomicBool);
            impl Drop for Ends<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::Release);
                }
            }
            let _ends = Ends(ended);
            runtime.block_on(async {
                drive(&world, &mut Rng::new(round as u64 + 1), tasks() / ROUNDS).await;
                if round % 2 == 0 {
                    settle(&world).await;
                }
            });
            let stats = |worker| world.remote.stats(worker).expect("a worker");
            let stolen: u64 = (0..workers).map(|worker| stats(worker).stolen.get()).sum();
            println!("{workers} workers: {} tasks, {stolen} stolen", world.started.load(Ordering::Relaxed));
            // Beside a thread that goes on.
            close(runtime);
        });
        nothing_is_left(&world);
    }
}
