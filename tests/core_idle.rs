//! What a worker does when there is nothing to do, on a clock that only turns move.

use std::time::Duration;
use unboxed::event_loop::scripted::ScriptedLoop;
use unboxed::event_loop::{EventLoop, Wait};
use unboxed::exec::{Budget, Executor, Idle, Mode, Rooted, SchedulerStorage};
use unboxed::op::nop;
use unboxed::time::sleep;
use unboxed::{task, yield_now};
use unboxed_tests::Rng;

/// A worker that is alone, over a loop whose turns take a microsecond each.
macro_rules! worker {
    ($idle:expr) => {{
        static WORKERS: SchedulerStorage<1, 2, 0> = SchedulerStorage::new();
        static LOOP: ScriptedLoop<8> = ScriptedLoop::new();
        LOOP.turns_take(1_000);
        WORKERS.open(1, Mode::Stealing, $idle).unwrap();
        (WORKERS.start(0, &LOOP, 0).unwrap(), &LOOP)
    }};
}

fn sleeps(executor: &Executor) -> u64 {
    executor.stats().sleeps.get()
}

#[test]
fn a_worker_that_sleeps_looks_once() {
    let (mut executor, script) = worker!(Idle::Sleep);
    executor.block_on(async { sleep(Duration::from_millis(1)).await.unwrap() });
    assert_eq!(sleeps(&executor), 1);
    assert!(script.turns() <= 3, "{} turns", script.turns());
}

#[test]
fn a_worker_that_spins_for_a_while_sleeps_after_it() {
    let (mut executor, script) = worker!(Idle::SpinFor(Duration::from_micros(100)));
    executor.block_on(async { sleep(Duration::from_millis(1)).await.unwrap() });
    assert_eq!(sleeps(&executor), 1);
    // A hundred for the time, and those of the turn in which it was over.
    assert!((100..120).contains(&script.turns()), "{} turns", script.turns());
}

#[test]
fn no_time_to_spin_is_a_sleep() {
    let (mut executor, script) = worker!(Idle::SpinFor(Duration::ZERO));
    executor.block_on(async { sleep(Duration::from_millis(1)).await.unwrap() });
    assert_eq!(sleeps(&executor), 1);
    assert!(script.turns() <= 3, "{} turns", script.turns());
}

#[test]
fn work_begins_the_time_anew() {
    let (mut executor, script) = worker!(Idle::SpinFor(Duration::from_micros(100)));
    executor.block_on(async {
        for _ in 0..20 {
            sleep(Duration::from_micros(60)).await.unwrap();
        }
    });
    assert_eq!(sleeps(&executor), 0, "it always found something in time");
    assert!(script.turns() > 1_000, "{} turns", script.turns());
}

#[test]
fn a_worker_that_spins_never_sleeps() {
    let (mut executor, script) = worker!(Idle::Spin);
    executor.block_on(async { sleep(Duration::from_millis(20)).await.unwrap() });
    assert_eq!(sleeps(&executor), 0);
    assert!(script.turns() >= 20_000, "{} turns", script.turns());
}

#[test]
fn a_spinning_turn_comes_back_and_takes_what_completes() {
    #[task(ops = 1)]
    async fn one_operation() {
        nop().await.unwrap();
    }
    let (mut executor, script) = worker!(Idle::Spin);
    let handle = executor.enter(|| one_operation::spawn().unwrap());
    for _ in 0..10 {
        let turned = executor.turn(Budget::SLEEP);
        assert_eq!(turned.completions, 0, "and it is not inside for ever");
    }
    script.complete(script.pending(0).unwrap().token, 0);
    assert_eq!(executor.turn(Budget::SLEEP).completions, 1);
    executor.turn(Budget::POLL);
    assert!(handle.is_finished());
}

#[test]
fn a_spinning_worker_takes_from_another_and_is_never_rung() {
    static WORKERS: SchedulerStorage<2, 2, 0> = SchedulerStorage::new();
    static LOOPS: [ScriptedLoop<8>; 2] = [const { ScriptedLoop::new() }; 2];
    #[task(pool = 8)]
    async fn hops() {
        for _ in 0..3 {
            yield_now().await;
        }
    }
    WORKERS.open(2, Mode::Stealing, Idle::Spin).unwrap();
    LOOPS[1].turns_take(1_000);
    let mut one = WORKERS.start(0, &LOOPS[0], 0).unwrap();
    let mut other = WORKERS.start(1, &LOOPS[1], 0).unwrap();
    for _ in 0..10 {
        other.turn(Budget::SLEEP);
    }
    // What is spawned in a turn stays in that worker's ring; the other one finds it there.
    #[task]
    async fn spawns() {
        for _ in 0..8 {
            hops::spawn().unwrap().detach();
        }
        yield_now().await;
    }
    one.enter(|| spawns::spawn().unwrap().detach());
    one.turn(Budget { polls: 1, ..Budget::POLL });
    for _ in 0..10 {
        other.turn(Budget::SLEEP);
    }
    assert!(other.stats().stolen.get() > 0);
    assert_eq!((sleeps(&other), other.stats().doorbells.get()), (0, 0));
    for _ in 0..100 {
        one.turn(Budget::POLL);
        other.turn(Budget::POLL);
    }
    assert_eq!(hops::memory().used, 0);
    while one.close_step(1_000).is_none() | other.close_step(1_000).is_none() {}
}

/// Makes one task ready, or two, at each of some polls.
#[task(pool = 2)]
async fn makes_ready(each: [u32; 6]) {
    for tasks in each {
        for _ in 0..tasks {
            ready::spawn().unwrap().detach();
        }
        yield_now().await;
    }
}

#[task(pool = 16)]
async fn ready() {}

/// A worker is stepped some times, and then never again, at whatever moment: what may move does, within ten milliseconds
/// of the other one's clock.
#[test]
fn a_worker_that_hangs_keeps_nothing_from_one_that_fell_asleep_beside_it() {
    static WORKERS: SchedulerStorage<2, 2, 0> = SchedulerStorage::new();
    static LOOPS: [ScriptedLoop<8>; 2] = [const { ScriptedLoop::new() }; 2];
    let mut random = Rng::new(7);
    let mut below = |most| random.below(most);
    for seed in 0..2_000 {
        let idle = if below(2) == 0 { Idle::Sleep } else { Idle::SpinFor(Duration::from_micros(5)) };
        WORKERS.open(2, Mode::Stealing, idle).unwrap();
        LOOPS[1].turns_take(100);
        let mut hangs = WORKERS.start(0, &LOOPS[0], 0).unwrap();
        let mut other = WORKERS.start(1, &LOOPS[1], 0).unwrap();
        // It is inside a turn, or about to be, so it does not sleep, and nothing is handed over.
        let each = std::array::from_fn(|_| 1 + below(2) as u32);
        hangs.enter(|| makes_ready::spawn(each).unwrap().detach());
        hangs.turn(Budget { polls: 1, ..Budget::POLL });
        for _ in 0..below(40) {
            if below(4) == 0 {
                hangs.turn(Budget { polls: 1, ..Budget::POLL });
            } else {
                other.turn(Budget::SLEEP);
            }
        }
        let begin = LOOPS[1].now();
        while makes_ready::memory().used + ready::memory().used > 0 {
            other.turn(Budget::SLEEP);
            let waited = LOOPS[1].now() - begin;
            assert!(waited < 10_000_000, "seed {seed}: {waited} ns, {hangs:?}");
        }
        while hangs.close_step(1_000).is_none() | other.close_step(1_000).is_none() {}
    }
}

/// Two workers that share.
macro_rules! two_workers {
    () => {{
        static WORKERS: SchedulerStorage<2, 2, 0> = SchedulerStorage::new();
        static LOOPS: [ScriptedLoop<8>; 2] = [const { ScriptedLoop::new() }; 2];
        WORKERS.open(2, Mode::Stealing, Idle::Sleep).unwrap();
        [WORKERS.start(0, &LOOPS[0], 0).unwrap(), WORKERS.start(1, &LOOPS[1], 0).unwrap()]
    }};
}

fn closes([mut one, mut other]: [Executor; 2]) {
    while one.close_step(1_000).is_none() | other.close_step(1_000).is_none() {}
}

/// So often the worker sleeps for some milliseconds before it sleeps without an end.
fn watches(worker: &mut Executor) -> usize {
    (0..100).take_while(|_| matches!(worker.prepare_to_sleep(), Wait::Until(_))).count()
}

#[test]
fn a_worker_that_nobody_turns_keeps_no_other_from_sleeping() {
    let [mut one, mut other] = two_workers!();
    assert_eq!(watches(&mut other), 4, "it was never turned");
    one.block_on(async {});
    other.turn(Budget::POLL);
    assert_eq!(watches(&mut other), 4, "its run has ended");
    one.enter(|| ());
    other.turn(Budget::POLL);
    assert_eq!(watches(&mut other), 4, "it was entered for a moment");
    one.turn(Budget::POLL);
    other.turn(Budget::POLL);
    assert_eq!(watches(&mut other), 100, "turned, it may push at any time");
    closes([one, other]);
}

#[test]
fn a_worker_of_an_earlier_opening_keeps_no_other_from_sleeping() {
    static WORKERS: SchedulerStorage<2, 2, 0> = SchedulerStorage::new();
    static LOOPS: [ScriptedLoop<8>; 2] = [const { ScriptedLoop::new() }; 2];
    for both_start in [true, false] {
        WORKERS.open(2, Mode::Stealing, Idle::Sleep).unwrap();
        let mut other = WORKERS.start(1, &LOOPS[1], 0).unwrap();
        if both_start {
            let mut one = WORKERS.start(0, &LOOPS[0], 0).unwrap();
            one.turn(Budget::POLL);
            assert_eq!(watches(&mut other), 100, "it may push at any time");
            closes([one, other]);
            continue;
        }
        WORKERS.absent(0);
        assert_eq!(watches(&mut other), 4);
        while other.close_step(1_000).is_none() {}
    }
}

#[test]
fn a_thread_that_comes_and_goes_does_not_call_at_each_return() {
    let [mut one, mut other] = two_workers!();
    let mut ends = 0;
    for _ in 0..100 {
        one.block_on(async {});
        ends += u64::from(other.prepare_to_sleep() == Wait::Forever);
    }
    assert_eq!(ends, 20, "after four sleeps that have an end");
    assert_eq!(other.stats().calls.get(), 19, "by the return after each");
    closes([one, other]);
}

#[test]
fn a_worker_that_comes_back_and_hangs_keeps_no_task_from_one_that_sleeps_without_an_end() {
    let [mut one, mut other] = two_workers!();
    one.block_on(async {});
    assert_eq!(watches(&mut other), 4);
    let calls = || other.stats().calls.get();
    let before = calls();
    let mut hangs = std::pin::pin!(Rooted::new(async {
        ready::spawn().unwrap().detach();
        std::future::pending::<()>().await;
    }));
    let mut run = one.root(hangs.as_mut());
    run.turn(Budget { polls: 1, ..Budget::POLL });
    assert_eq!(calls(), before + 1, "it is called, and finds the task without a call for that");
    for _ in 0..100 {
        other.turn(Budget::POLL);
    }
    assert_eq!(other.stats().stolen.get(), 1);
    drop(run);
    closes([one, other]);
}
