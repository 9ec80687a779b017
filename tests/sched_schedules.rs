//! Seeded schedules: two to eight workers over scripted loops, turned by one thread in random order, under tasks that
//! spawn, wake, abort, join, panic, and hand operations to each other, with closes in the middle.
//!
//! What must hold whatever the order: no task is lost, none is polled within its own poll, those that stay never
//! move, a close ends within a bounded number of steps, and every slot, block and byte comes back. A failure names
//! its seed; `SEED=n` replays it.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use unboxed::channel::Channel;
use unboxed::event_loop::scripted::{OnCancel, ScriptedLoop};
use unboxed::exec::{Budget, Executor, Idle, Mode, Remote, SchedulerStorage};
use unboxed::op::{Error, Operation, nop};
use unboxed::storage::{Arena, Slab, TaskTable};
use unboxed::task::{AbortHandle, JoinHandle, yield_now};
use unboxed::time::{sleep, timeout};
use unboxed_tests::{Dropped, Drops, Rng, expect_panics, for_seeds};

const WORKERS: usize = 8;
const NOBODY: usize = usize::MAX;
/// In place of what a task does.
const NOT_STARTED: u64 = u64::MAX;
/// Steps of all seeds together.
const STEPS: u64 = 1_000_000;
const STEPS_A_SEED: u64 = 4_000;

static STORAGE: SchedulerStorage<WORKERS, 2, 6> = SchedulerStorage::new();
static LOOPS: [ScriptedLoop<64>; WORKERS] = [const { ScriptedLoop::new() }; WORKERS];
static VALUES: Channel<Dropped, 3> = Channel::new();
static SLAB: Slab<512, 24> = Slab::new();
static ARENA: Arena<&Slab<512, 24>> = Arena::new("bodies", &SLAB);
static TABLE: TaskTable<24, 2> = TaskTable::new();
/// Which worker is being turned.
static TURNING: AtomicUsize = AtomicUsize::new(NOBODY);

#[unboxed::task(pool = 48, ops = 3)]
async fn roams(life: Life) -> u64 {
    life.await
}

#[unboxed::task(pool = 16, ops = 2, local)]
async fn stays(life: Life) -> u64 {
    life.await
}

type AnyOp = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What the tasks of one run share.
struct World {
    remote: Remote,
    workers: usize,
    mode: Mode,
    drops: Drops,
    made: AtomicUsize,
    values: AtomicUsize,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    ops: Vec<AnyOp>,
    joins: Vec<(usize, JoinHandle<u64>)>,
    aborts: Vec<AbortHandle>,
    wakers: Vec<Waker>,
    born: usize,
    gone: usize,
    wrong: Vec<String>,
    /// What each living task does, for messages.
    doing: BTreeMap<usize, u64>,
}

impl World {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn value(&self) -> Dropped {
        self.values.fetch_add(1, Ordering::Relaxed);
        self.drops.value()
    }
}

/// A task's body: the plan, and what is checked around it.
struct Life {
    world: Arc<World>,
    number: usize,
    /// Whether it must stay where it is, and where that is, once it is known.
    stays: bool,
    home: usize,
    launched: Arc<AtomicBool>,
    polled: bool,
    plan: Option<Pin<Box<dyn Future<Output = u64> + Send>>>,
}

impl Life {
    fn new(world: &Arc<World>, mut rng: Rng, depth: u32) -> Self {
        let number = world.made.fetch_add(1, Ordering::Relaxed);
        {
            let mut shared = world.shared();
            shared.born += 1;
            shared.doing.insert(number, NOT_STARTED);
        }
        let plan = plan(world.clone(), Rng::new(rng.draw()), number, depth);
        Self {
            world: world.clone(),
            number,
            stays: false,
            home: NOBODY,
            launched: Arc::default(),
            polled: false,
            plan: Some(Box::pin(plan)),
        }
    }

    fn look(&mut self, what: &str) {
        let here = TURNING.load(Ordering::Relaxed);
        if self.stays && self.home == NOBODY {
            self.home = here;
        }
        if here == NOBODY || (self.stays && self.home != here) {
            let told = format!("task {} of {} was {what} on {here}", self.number, self.home);
            self.world.shared().wrong.push(told);
        }
    }
}

impl Future for Life {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        self.look("polled");
        let Some(mut plan) = self.plan.take() else {
            self.world.shared().wrong.push("a task was polled within its poll".into());
            return Poll::Pending;
        };
        self.polled = true;
        let poll = plan.as_mut().poll(cx);
        self.plan = Some(plan);
        poll
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if self.launched.load(Ordering::Relaxed) {
            self.look("dropped");
        }
        self.plan = None;
        let mut shared = self.world.shared();
        shared.gone += 1;
        shared.doing.remove(&self.number);
    }
}

/// Starts a task of some kind, from a worker or from outside.
fn spawn(world: &Arc<World>, rng: &mut Rng, depth: u32) {
    let mut life = Life::new(world, Rng::new(rng.draw()), depth);
    let (number, launched) = (life.number, life.launched.clone());
    let inside = TURNING.load(Ordering::Relaxed) != NOBODY;
    life.stays = world.mode == Mode::PerCore;
    let join = match rng.below(10) {
        0..=3 if inside => roams::spawn(life).ok(),
        4 | 5 if inside => {
            life.stays = true;
            life.home = TURNING.load(Ordering::Relaxed);
            stays::spawn(life).ok()
        }
        6 if inside => TABLE.spawn(&ARENA, life).ok(),
        7 if inside => {
            life.stays = true;
            life.home = TURNING.load(Ordering::Relaxed);
            TABLE.spawn_local(&ARENA, life).ok()
        }
        8 => {
            life.stays = true;
            life.home = rng.below(world.workers as u64) as usize;
            let there = world.remote.worker(life.home).unwrap();
            roams::spawn_on(&there, life).ok()
        }
        _ => roams::spawn_on(&world.remote, life).ok(),
    };
    if let Some(join) = join {
        launched.store(true, Ordering::Relaxed);
        let mut shared = world.shared();
        if rng.below(2) == 0 {
            shared.aborts.push(join.abort_handle());
        }
        shared.joins.push((number, join));
    }
}

fn any_op(rng: &mut Rng) -> AnyOp {
    let ns = Duration::from_nanos(rng.below(1 << 22));
    match rng.below(7) {
        0 | 1 => Box::pin(sleep(ns)),
        2 => Box::pin(nop().cancel()),
        3 => Box::pin(sleep(ns).cancel()),
        4 => Box::pin(async move { timeout(ns, nop()).await.unwrap_or(Ok(())) }),
        _ => Box::pin(nop()),
    }
}

fn pick<T>(rng: &mut Rng, from: &mut Vec<T>) -> Option<T> {
    let len = from.len() as u64;
    (len != 0).then(|| from.swap_remove(rng.below(len) as usize))
}

async fn poll_once(op: &mut AnyOp) -> bool {
    poll_fn(|cx| Poll::Ready(op.as_mut().poll(cx).is_ready())).await
}

async fn plan(world: Arc<World>, mut rng: Rng, number: usize, depth: u32) -> u64 {
    let mut mine: Vec<AnyOp> = Vec::new();
    for _ in 0..rng.below(24) {
        let action = rng.below(26);
        world.shared().doing.insert(number, action);
        match action {
            0..=4 => {
                let mut op = any_op(&mut rng);
                if !poll_once(&mut op).await {
                    mine.push(op);
                }
            }
            5 => drop(pick(&mut rng, &mut mine)),
            6 => std::mem::forget(pick(&mut rng, &mut mine)),
            7 | 8 => {
                if let Some(op) = pick(&mut rng, &mut mine) {
                    world.shared().ops.push(op);
                }
            }
            9 | 10 => {
                let taken = pick(&mut rng, &mut world.shared().ops);
                mine.extend(taken);
            }
            11 => {
                let abort = pick(&mut rng, &mut world.shared().aborts);
                if let Some(abort) = abort {
                    abort.abort();
                }
            }
            12..=14 => {
                if let Some(op) = pick(&mut rng, &mut mine) {
                    let _ = op.await;
                }
            }
            15 => {
                if let Some(mut op) = pick(&mut rng, &mut mine)
                    && !poll_once(&mut op).await
                {
                    mine.push(op);
                }
            }
            16 => {
                let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                world.shared().wakers.push(waker);
            }
            17 => wake_some(&world, &mut rng),
            18 if rng.below(8) == 0 => std::panic::panic_any("misbehaved"),
            19 if depth > 0 => spawn(&world, &mut rng, depth - 1),
            20 => {
                // Only of one that is younger: so nobody waits in a ring.
                let join = pick(&mut rng, &mut world.shared().joins);
                match join {
                    Some((younger, join)) if younger > number => drop(join.await),
                    Some(old) => world.shared().joins.push(old),
                    None => {}
                }
            }
            21 => drop(pick(&mut rng, &mut world.shared().joins)),
            22 => drop(VALUES.send(world.value()).await),
            23 => drop(VALUES.recv().await),
            24 => {
                // Dropped in the middle.
                let mut recv = Box::pin(VALUES.recv());
                let _ = poll_fn(|cx| Poll::Ready(recv.as_mut().poll(cx).is_ready())).await;
            }
            _ => yield_now().await,
        }
    }
    mine.len() as u64
}

fn wake_some(world: &World, rng: &mut Rng) {
    let waker = pick(rng, &mut world.shared().wakers);
    if let Some(waker) = waker {
        waker.wake();
    }
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
        let world = World {
            remote,
            workers,
            mode,
            drops: Drops::default(),
            made: AtomicUsize::new(0),
            values: AtomicUsize::new(0),
            shared: Mutex::default(),
        };
        Self { world: Arc::new(world), rng, executors, awake: u64::MAX }
    }

    fn any_worker(&mut self) -> usize {
        self.rng.below(self.world.workers as u64) as usize
    }

    fn on<R>(&mut self, worker: usize, f: impl FnOnce(&mut Executor) -> R) -> std::thread::Result<R> {
        TURNING.store(worker, Ordering::Relaxed);
        let executor = &mut self.executors[worker];
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(executor)));
        TURNING.store(NOBODY, Ordering::Relaxed);
        result
    }

    fn turn(&mut self, worker: usize, polls: u32) {
        let turned = self.on(worker, |executor| executor.turn(Budget { polls, sleep: false }));
        if let Err(panic) = turned
            && panic.downcast_ref::<&str>() != Some(&"misbehaved")
        {
            std::panic::resume_unwind(panic);
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
            12 => drop(pick(&mut self.rng, &mut world.shared().ops)),
            13 => drop(pick(&mut self.rng, &mut world.shared().joins)),
            14 => {
                let abort = pick(&mut self.rng, &mut world.shared().aborts);
                abort.iter().for_each(AbortHandle::abort);
            }
            15 => wake_some(&world, &mut self.rng),
            _ => self.turn_one(worker),
        }
        self.nothing_is_wrong();
    }

    fn nothing_is_wrong(&self) {
        let wrong = std::mem::take(&mut self.world.shared().wrong);
        assert_eq!(wrong, [""; 0]);
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
        while VALUES.try_recv().is_ok() {}
        // Whoever waits for a value gets one; the rest is taken again in the next round.
        while VALUES.try_send(self.world.value()).is_ok() {}
    }

    /// All plans end by themselves: whatever does not has lost a wake, a message or its place in a queue.
    fn settle(&mut self) {
        for _ in 0..4_000 {
            self.give_everything();
            for _ in 0..self.world.workers {
                let worker = self.any_worker();
                self.turn(worker, 64);
            }
            self.nothing_is_wrong();
            let all_gone = {
                let shared = self.world.shared();
                shared.born == shared.gone
            };
            if all_gone {
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
        assert_eq!(used(), NONE);
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
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            match self.rng.below(4) {
                0 => self.give_everything(),
                1 => drop(pick(&mut self.rng, &mut self.world.shared().ops)),
                2 => wake_some(&self.world, &mut self.rng),
                _ => {}
            }
            self.nothing_is_wrong();
        }
        for report in reports.iter().flatten() {
            assert_eq!((report.detached, report.stuck), (0, 0));
        }
        self.executors.drain(..).for_each(std::mem::forget);
        let left = std::mem::take(&mut *self.world.shared());
        assert_eq!(left.born, left.gone, "tasks are lost in a close");
        assert!(left.joins.iter().all(|(_, join)| join.is_finished()));
        let refused = Life::new(&self.world, Rng::new(1), 0);
        assert!(roams::spawn_on(&self.world.remote, refused).is_err());
        drop(left);
        while VALUES.try_recv().is_ok() {}
        assert_eq!(used(), NONE);
        assert_eq!(self.world.drops.count(), self.world.values.load(Ordering::Relaxed), "values are lost");
    }
}

/// Blocks and bytes in use.
fn used() -> [usize; 4] {
    let arena = ARENA.memory();
    [
        roams::memory().used as usize,
        stays::memory().used as usize,
        TABLE.memory().used as usize,
        arena.live + arena.bytes,
    ]
}

const NONE: [usize; 4] = [0; 4];

#[test]
fn random_schedules_lose_nothing() {
    expect_panics();
    for_seeds(STEPS / STEPS_A_SEED, |seed| {
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
