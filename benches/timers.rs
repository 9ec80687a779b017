//! A million timers: begun, dropped before their time, and fired, against a binary heap of the same deadlines, which is
//! what many runtimes keep theirs in. Processor time per timer, rounds in turn; the clock is a script's, so that what is
//! measured is neither the system's clock nor its sleep. `cargo bench -p unboxed-benches --bench timers`.
//!
//! The heap is the least that a heap can be: a deadline and a number, no waker, no slot, and a cancel only marks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use unboxed::JoinHandle;
use unboxed::event_loop::EventLoop;
use unboxed::event_loop::scripted::ScriptedLoop;
use unboxed::exec::{Budget, Executor, WorkerStorage};
use unboxed::time::{Instant, Sleep, sleep_until};
use unboxed_benches::{cpu_time, median};

const TASKS: usize = 1 << 14;
const EACH: usize = 64;
const TIMERS: usize = TASKS * EACH;
const ROUNDS: usize = 3;
const SECOND: u64 = 1_000_000_000;

static SCRIPT: ScriptedLoop<1> = ScriptedLoop::new();
static WORKER: WorkerStorage<2, 0> = WorkerStorage::new();

/// Has 64 timers: until it is aborted, or until they have fired.
#[unboxed::task(pool = TASKS, ops = 64)]
async fn sleeps(deadlines: [u64; EACH]) {
    let mut timers: [Sleep; EACH] = std::array::from_fn(|i| sleep_until(Instant { ns: deadlines[i] }));
    let mut first = 0;
    poll_fn(|cx| {
        while first < EACH && Pin::new(&mut timers[first]).poll(cx).is_ready() {
            first += 1;
        }
        if first == 0 {
            for timer in &mut timers[1..] {
                assert!(Pin::new(timer).poll(cx).is_pending());
            }
        }
        if first == EACH { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Deadlines within `spread` from now, each task's in order, so that it looks at its first timer only.
fn deadlines(spread: u64, seed: &mut u64) -> Vec<[u64; EACH]> {
    let now = SCRIPT.now() + (1 << 14);
    let mut random = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        now + (*seed >> 33) % spread
    };
    let task = |_| {
        let mut one: [u64; EACH] = std::array::from_fn(|_| random());
        one.sort_unstable();
        one
    };
    (0..TASKS).map(task).collect()
}

fn per_timer(work: impl FnOnce()) -> f64 {
    let before = cpu_time();
    work();
    (cpu_time() - before).as_nanos() as f64 / TIMERS as f64
}

fn begin(executor: &mut Executor, all: &[[u64; EACH]]) -> Vec<JoinHandle<()>> {
    let tasks = executor.enter(|| all.iter().map(|one| sleeps::spawn(*one).expect("a block")).collect());
    while executor.turn(Budget::POLL).more {}
    tasks
}

fn wheel(executor: &mut Executor, seed: &mut u64) -> [f64; 3] {
    let all = deadlines(60 * SECOND, seed);
    let mut tasks = Vec::new();
    let insert = per_timer(|| tasks = begin(executor, &all));
    let cancel = per_timer(|| {
        tasks.drain(..).for_each(|task| task.abort());
        while sleeps::memory().used > 0 {
            executor.turn(Budget::POLL);
        }
    });
    let all = deadlines(60 * SECOND, seed);
    begin(executor, &all).into_iter().for_each(JoinHandle::detach);
    let fire = per_timer(|| {
        while sleeps::memory().used > 0 {
            SCRIPT.advance(1_000_000);
            while executor.turn(Budget::POLL).more {}
        }
    });
    [insert, cancel, fire]
}

fn heap(seed: &mut u64) -> [f64; 3] {
    let all: Vec<u64> = deadlines(60 * SECOND, seed).concat();
    let mut heap = BinaryHeap::new();
    let mut cancelled = vec![false; TIMERS];
    let fill = |heap: &mut BinaryHeap<_>| {
        all.iter().enumerate().for_each(|(number, at)| heap.push(Reverse((*at, number as u32))));
    };
    let insert = per_timer(|| fill(&mut heap));
    // What a marked one costs when it comes to the top is a cancel's, not a fire's.
    let cancel = per_timer(|| {
        cancelled.fill(true);
        while let Some(Reverse((_, number))) = heap.pop() {
            assert!(cancelled[number as usize]);
        }
    });
    fill(&mut heap);
    let mut sum = 0u64;
    let fire = per_timer(|| {
        while let Some(Reverse((at, number))) = heap.pop() {
            sum = sum.wrapping_add(at ^ u64::from(number));
        }
    });
    std::hint::black_box(sum);
    [insert, cancel, fire]
}

fn main() {
    let mut executor = Executor::start(&WORKER, &SCRIPT, 0).expect("a worker");
    let mut seed = 1;
    // The first round brings the memory in.
    wheel(&mut executor, &mut seed);
    let (mut wheels, mut heaps) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        wheels.push(wheel(&mut executor, &mut seed));
        heaps.push(heap(&mut seed));
    }
    println!("{TIMERS} timers within a minute, ns of processor time each, medians of {ROUNDS} rounds");
    println!("| step | wheel, with slots, wakers and tasks | binary heap alone |");
    println!("|---|---|---|");
    for (step, name) in ["insert", "cancel", "fire"].iter().enumerate() {
        let of =
            |rounds: &[[f64; 3]]| median(&mut rounds.iter().map(|round| round[step]).collect::<Vec<_>>());
        println!("| {name} | {:.1} | {:.1} |", of(&wheels), of(&heaps));
    }
}
