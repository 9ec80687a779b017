//! Seeded schedules: two to eight workers over scripted loops, turned by one thread in random order, under tasks that
//! spawn, wake, abort, join, panic, and hand operations to each other, with closes in the middle.
//!
//! What must hold whatever the order: no task is lost, none is polled within its own poll, those that stay never
//! move, a close ends within a bounded number of steps, and every slot, block and byte comes back. A failure names
//! its seed; `SEED=n` replays it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use unboxed::event_loop::scripted::{OnCancel, ScriptedLoop};
use unboxed::exec::{Budget, Executor, Idle, Mode, SchedulerStorage};
use unboxed_tests::chaos::{NOBODY, World, disturb, refuses, spawn, take, used, wake_some};
use unboxed_tests::{Rng, expect_panics, for_seeds};

const WORKERS: usize = 8;
/// Steps of all seeds together, if `SCHEDULE_STEPS` does not say so.
const STEPS: u64 = 1_000_000;
const STEPS_A_SEED: u64 = 4_000;

static STORAGE: SchedulerStorage<WORKERS, 2, 6> = SchedulerStorage::new();
static LOOPS: [ScriptedLoop<64>; WORKERS] = [const { ScriptedLoop::new() }; WORKERS];
/// Which worker is being turned.
static TURNING: AtomicUsize = AtomicUsize::new(NOBODY);

fn here() -> usize {
    TURNING.load(Ordering::Relaxed)
}

/// One thread's workers.
struct Driver {
    world: Arc<World>,
    rng: Rng,
    executors: Vec<Executor>,
    /// The workers that are turned at present: the others' threads are somewhere else.
    awake: u64,
}

impl Driver {
    fn open(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let workers = 2 + rng.below(WORKERS as u64 - 1) as usize;
        let mode = if rng.below(4) == 0 { Mode::PerCore } else { Mode::Stealing };
        let remote = STORAGE.open(workers, mode, Idle::Sleep).expect("the last run has let the storage go");
        let executors = (0..workers).map(|i| STORAGE.start(i, &LOOPS[i], 2).unwrap()).collect();
        let world = World::new(remote, mode, here, true);
        Self { world, rng, executors, awake: u64::MAX }
    }

    fn any_worker(&mut self) -> usize {
        self.rng.below(self.world.workers as u64) as usize
    }

    fn on<R>(&mut self, worker: usize, f: impl FnOnce(&mut Executor) -> R) -> std::thread::Result<R> {
        TURNING.store(worker, Ordering::Relaxed);
        let executor = &mut self.executors[worker];
        let result = catch_unwind(AssertUnwindSafe(|| f(executor)));
        TURNING.store(NOBODY, Ordering::Relaxed);
        result
    }

    fn turn(&mut self, worker: usize, polls: u32) {
        let turned = self.on(worker, |executor| executor.turn(Budget { polls, ..Budget::POLL }));
        if let Err(panic) = turned
            && panic.downcast_ref::<&str>() != Some(&"misbehaved")
        {
            resume_unwind(panic);
        }
    }

    fn turn_one(&mut self, worker: usize) {
        if self.awake >> worker & 1 != 0 {
            let polls = 1 + self.rng.below(6) as u32;
            self.turn(worker, polls);
        }
    }

    /// Something random: mostly a turn.
    fn step(&mut self) {
        let worker = self.any_worker();
        if self.rng.below(60) == 0 {
            self.awake = if self.rng.below(3) == 0 { u64::MAX } else { self.rng.draw() >> 20 };
        }
        let world = self.world.clone();
        match self.rng.below(40) {
            0 | 1 => {
                let mut rng = Rng::new(self.rng.draw());
                let spawned = self.on(worker, |executor| executor.enter(|| spawn(&world, &mut rng, 3)));
                spawned.unwrap();
            }
            2 => {
                let mut rng = Rng::new(self.rng.draw());
                spawn(&world, &mut rng, 3);
            }
            3..=8 => self.complete(worker),
            9 => {
                let policy = match self.rng.below(3) {
                    0 => OnCancel::Cancel,
                    1 => OnCancel::CompleteFirst(0),
                    _ => OnCancel::Ignore,
                };
                LOOPS[worker].on_cancel(policy);
            }
            10 => {
                let (submissions, completions) = (self.rng.below(2), self.rng.below(2));
                LOOPS[worker].limit_submissions(if submissions == 0 { 2 } else { u32::MAX });
                LOOPS[worker].limit_completions(if completions == 0 { 1 } else { u32::MAX });
            }
            11 => LOOPS[worker].advance(self.rng.below(1 << 20)),
            // From outside of any worker.
            12..=15 => disturb(&world, &mut self.rng),
            _ => self.turn_one(worker),
        }
        self.world.nothing_is_wrong();
    }

    fn complete(&mut self, worker: usize) {
        let script = &LOOPS[worker];
        let count = script.pending_len() as u64;
        if count != 0 {
            let op = script.pending(self.rng.below(count) as usize).unwrap();
            script.complete(op.token, if self.rng.below(3) == 0 { -5 } else { 0 });
        }
    }

    /// What the loops and the channel owe.
    fn give_everything(&mut self) {
        for script in &LOOPS[..self.world.workers] {
            script.limit_submissions(u32::MAX);
            script.limit_completions(u32::MAX);
            script.on_cancel(OnCancel::Cancel);
            script.advance(1 << 22);
            while let Some(op) = script.pending(0) {
                script.complete(op.token, 0);
            }
        }
        self.world.serve();
    }

    /// All plans end by themselves: whatever does not has lost a wake, a message or its place in a queue.
    fn settle(&mut self) {
        for _ in 0..4_000 {
            self.give_everything();
            for _ in 0..self.world.workers {
                let worker = self.any_worker();
                self.turn(worker, 64);
            }
            self.world.nothing_is_wrong();
            if self.world.all_gone() {
                return self.rest();
            }
        }
        let lost = format!("{:?}", self.world.shared().doing);
        panic!("tasks are lost, at {lost}");
    }

    /// Nothing lives: what is still in flight comes back.
    fn rest(&mut self) {
        drop(std::mem::take(&mut *self.world.shared()));
        for _ in 0..200 {
            self.give_everything();
            for worker in 0..self.world.workers {
                self.turn(worker, 64);
            }
        }
        let in_flight: Vec<_> = self.executors.iter().map(Executor::in_flight).collect();
        assert!(in_flight.iter().all(|&count| count == 0), "in flight: {in_flight:?}");
        assert_eq!(used(), [0; 4]);
    }

    /// Closes all workers, a step at a time in random order, while the loops go on.
    fn close(mut self) {
        let mut reports = vec![None; self.executors.len()];
        let asked = self.any_worker();
        if self.rng.below(2) == 0 {
            self.world.remote.request_close();
        }
        let mut steps = 0;
        while reports.contains(&None) {
            steps += 1;
            assert!(steps < 20_000, "a close does not end: {reports:?}");
            // The others only learn of it after a while.
            let worker = if steps == 1 { asked } else { self.any_worker() };
            if !self.executors[worker].is_closing() && worker != asked {
                self.turn(worker, 2);
                continue;
            }
            if reports[worker].is_none() {
                let step = self.on(worker, |executor| executor.close_step(u64::MAX / 2));
                match step {
                    Ok(report) => reports[worker] = report,
                    Err(panic) if panic.downcast_ref::<&str>() == Some(&"misbehaved") => {}
                    Err(panic) => resume_unwind(panic),
                }
            }
            match self.rng.below(4) {
                0 => self.give_everything(),
                1 => drop(take(&mut self.rng, &self.world, |shared| &mut shared.ops)),
                2 => wake_some(&self.world, &mut self.rng),
                _ => {}
            }
            self.world.nothing_is_wrong();
        }
        for report in reports.iter().flatten() {
            assert_eq!((report.detached, report.stuck), (0, 0));
        }
        self.executors.drain(..).for_each(std::mem::forget);
        let left = std::mem::take(&mut *self.world.shared());
        assert_eq!(left.born, left.gone, "tasks are lost in a close");
        assert!(left.joins.iter().all(|(_, join)| join.is_finished()));
        drop(left);
        assert!(refuses(&self.world));
        self.world.all_is_back();
    }
}

#[test]
fn random_schedules_lose_nothing() {
    expect_panics();
    let steps = std::env::var("SCHEDULE_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(STEPS);
    for_seeds(steps / STEPS_A_SEED, |seed| {
        let mut driver = Driver::open(seed);
        for _ in 0..STEPS_A_SEED {
            driver.step();
        }
        if seed % 2 == 0 {
            driver.settle();
        }
        driver.close();
    });
}
