//! Tasks that do everything at once: spawn, wake, abort, join, panic, send, receive, and begin operations that they drop,
//! forget, or hand to each other. What is checked meanwhile lies around each body ([`Life`]), the rest at the end.

use crate::{Dropped, Drops, Rng};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use unboxed::blocking::block_in_place;
use unboxed::channel::Channel;
use unboxed::exec::{Mode, Remote};
use unboxed::op::{Error, Operation, nop};
use unboxed::storage::{Arena, Slab, TaskTable};
use unboxed::sync::{Mutex, MutexGuard, Threads};
use unboxed::task::{AbortHandle, JoinHandle, yield_now};
use unboxed::time::{sleep, timeout};

/// Where a thread is that turns no worker.
pub const NOBODY: usize = usize::MAX;
/// In place of what a task does.
const NOT_STARTED: u64 = u64::MAX;

/// What the tasks send each other; whoever drives them keeps it neither empty nor full.
pub static VALUES: Channel<Dropped, 3> = Channel::new();
static SLAB: Slab<512, 24> = Slab::new();
static ARENA: Arena<&Slab<512, 24>> = Arena::new("bodies", &SLAB);
static TABLE: TaskTable<24, 2> = TaskTable::new();

#[unboxed::task(pool = 48, ops = 3)]
async fn roams(life: Life) -> u64 {
    life.await
}

#[unboxed::task(pool = 16, ops = 3, lane = "urgent")]
async fn hurries(life: Life) -> u64 {
    life.await
}

#[unboxed::task(pool = 24, ops = 3, lane = "background")]
async fn lingers(life: Life) -> u64 {
    life.await
}

#[unboxed::task(pool = 16, ops = 2, local)]
async fn stays(life: Life) -> u64 {
    life.await
}

/// Some operation.
pub type AnyOp = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What the tasks of one run share.
#[allow(missing_debug_implementations, reason = "it holds futures")]
pub struct World {
    /// The runtime.
    pub remote: Remote,
    /// How many workers it has.
    pub workers: usize,
    mode: Mode,
    /// On which worker this thread is, in numbers of the driver's choice.
    here: fn() -> usize,
    /// Whether those numbers are the workers' own.
    numbered: bool,
    /// Counts the values that are dropped.
    pub drops: Drops,
    made: AtomicUsize,
    /// How many tasks were started: the others found no block.
    pub started: AtomicUsize,
    /// How many values were made.
    pub values: AtomicUsize,
    /// One of ours: it is instrumented where a sanitizer looks, as the standard library's is not.
    shared: Mutex<Shared, Threads>,
}

/// What they leave for each other.
#[derive(Default)]
#[allow(missing_debug_implementations, reason = "it holds futures")]
pub struct Shared {
    /// Operations.
    pub ops: Vec<AnyOp>,
    /// Handles, with the number of their task.
    pub joins: Vec<(usize, JoinHandle<u64>)>,
    /// The same, to end them by.
    pub aborts: Vec<AbortHandle>,
    /// Wakers of tasks, some of which have ended.
    pub wakers: Vec<Waker>,
    /// Bodies that were made.
    pub born: usize,
    /// Bodies that were dropped.
    pub gone: usize,
    wrong: Vec<String>,
    /// What each living task does, for messages.
    pub doing: BTreeMap<usize, u64>,
}

impl World {
    /// Of a runtime that was just opened.
    pub fn new(remote: Remote, mode: Mode, here: fn() -> usize, numbered: bool) -> Arc<Self> {
        Arc::new(Self {
            remote,
            workers: remote.workers(),
            mode,
            here,
            numbered,
            drops: Drops::default(),
            made: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
            values: AtomicUsize::new(0),
            shared: Mutex::with_domain(Shared::default()),
        })
    }

    /// See [`Shared`].
    pub fn shared(&self) -> MutexGuard<'_, Shared, Threads> {
        loop {
            match self.shared.try_lock() {
                Some(shared) => return shared,
                None => std::thread::yield_now(),
            }
        }
    }

    /// A value to send.
    pub fn value(&self) -> Dropped {
        self.values.fetch_add(1, Ordering::Relaxed);
        self.drops.value()
    }

    /// Fails with whatever a body has seen that must not be.
    pub fn nothing_is_wrong(&self) {
        let wrong = std::mem::take(&mut self.shared().wrong);
        assert_eq!(wrong, [""; 0]);
    }

    /// Whether every body that was made is gone.
    pub fn all_gone(&self) -> bool {
        let shared = self.shared();
        shared.born == shared.gone
    }

    /// Gives the channel's receivers values, and its senders room.
    pub fn serve(&self) {
        while VALUES.try_recv().is_ok() {}
        while VALUES.try_send(self.value()).is_ok() {}
    }

    /// After the end: no block, byte or value is left.
    pub fn all_is_back(&self) {
        while VALUES.try_recv().is_ok() {}
        assert_eq!(used(), [0; 4]);
        assert_eq!(self.drops.count(), self.values.load(Ordering::Relaxed), "values are lost");
    }
}

/// A task's body: the plan, and what is checked around it.
#[allow(missing_debug_implementations, reason = "it holds a future")]
pub struct Life {
    world: Arc<World>,
    number: usize,
    /// Whether it must stay where it is, and where that is, once it is known.
    stays: bool,
    home: usize,
    launched: Arc<AtomicBool>,
    /// For a poll at the same time on another thread.
    polling: AtomicBool,
    plan: Option<Pin<Box<dyn Future<Output = u64> + Send>>>,
}

impl Life {
    /// A body whose tasks spawn others, to that depth.
    pub fn new(world: &Arc<World>, mut rng: Rng, depth: u32) -> Self {
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
            polling: AtomicBool::new(false),
            plan: Some(Box::pin(plan)),
        }
    }

    fn look(&mut self, what: &str) {
        let here = (self.world.here)();
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
        if self.polling.swap(true, Ordering::AcqRel) {
            self.world.shared().wrong.push("a task was polled while it was polled".into());
        }
        let Some(mut plan) = self.plan.take() else {
            self.world.shared().wrong.push("a task was polled within its poll".into());
            return Poll::Pending;
        };
        let poll = plan.as_mut().poll(cx);
        self.plan = Some(plan);
        self.polling.store(false, Ordering::Release);
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
pub fn spawn(world: &Arc<World>, rng: &mut Rng, depth: u32) {
    let mut life = Life::new(world, Rng::new(rng.draw()), depth);
    let (number, launched) = (life.number, life.launched.clone());
    let inside = (world.here)() != NOBODY;
    life.stays = world.mode == Mode::PerCore;
    let join = match rng.below(10) {
        0 | 1 if inside => roams::spawn(life).ok(),
        2 if inside => lingers::spawn(life).ok(),
        3 if inside => {
            life.stays = true;
            life.home = (world.here)();
            hurries::spawn(life).ok()
        }
        4 | 5 if inside => {
            life.stays = true;
            life.home = (world.here)();
            stays::spawn(life).ok()
        }
        6 if inside => TABLE.spawn(&ARENA, life).ok(),
        7 if inside => {
            life.stays = true;
            life.home = (world.here)();
            TABLE.spawn_local(&ARENA, life).ok()
        }
        8 => {
            life.stays = true;
            let worker = rng.below(world.workers as u64) as usize;
            life.home = if world.numbered { worker } else { NOBODY };
            let there = world.remote.worker(worker).unwrap();
            roams::spawn_on(&there, life).ok()
        }
        9 => {
            // Stays where it is run first.
            life.stays = true;
            hurries::spawn_on(&world.remote, life).ok()
        }
        3 => lingers::spawn_on(&world.remote, life).ok(),
        _ => roams::spawn_on(&world.remote, life).ok(),
    };
    if let Some(join) = join {
        launched.store(true, Ordering::Relaxed);
        world.started.fetch_add(1, Ordering::Relaxed);
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

/// One of them, taken out.
pub fn pick<T>(rng: &mut Rng, from: &mut Vec<T>) -> Option<T> {
    let len = from.len() as u64;
    (len != 0).then(|| from.swap_remove(rng.below(len) as usize))
}

async fn poll_once(op: &mut AnyOp) -> bool {
    poll_fn(|cx| Poll::Ready(op.as_mut().poll(cx).is_ready())).await
}

async fn plan(world: Arc<World>, mut rng: Rng, number: usize, depth: u32) -> u64 {
    let mut mine: Vec<AnyOp> = Vec::new();
    for _ in 0..rng.below(24) {
        let action = rng.below(27);
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
                let abort = take(&mut rng, &world, |shared| &mut shared.aborts);
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
            21 => drop(take(&mut rng, &world, |shared| &mut shared.joins)),
            22 => drop(VALUES.send(world.value()).await),
            23 => drop(VALUES.recv().await),
            24 => {
                // Dropped in the middle.
                let mut recv = Box::pin(VALUES.recv());
                let _ = poll_fn(|cx| Poll::Ready(recv.as_mut().poll(cx).is_ready())).await;
            }
            25 => block_in_place(|| {
                // As a plain thread would, though this task's own operations are among them.
                drop(pick(&mut rng, &mut mine));
                if let Some(mut op) = pick(&mut rng, &mut mine)
                    && op.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
                {
                    mine.push(op);
                }
                disturb(&world, &mut rng);
                std::thread::yield_now();
            }),
            _ => yield_now().await,
        }
    }
    mine.len() as u64
}

/// Wakes some task, or one that was.
pub fn wake_some(world: &World, rng: &mut Rng) {
    let waker = pick(rng, &mut world.shared().wakers);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Drops, aborts or wakes something that the tasks have left; from any thread.
pub fn disturb(world: &World, rng: &mut Rng) {
    match rng.below(4) {
        0 => drop(take(rng, world, |shared| &mut shared.ops)),
        1 => drop(take(rng, world, |shared| &mut shared.joins)),
        2 => take(rng, world, |shared| &mut shared.aborts).iter().for_each(AbortHandle::abort),
        _ => wake_some(world, rng),
    }
}

/// One of what they have left, out of the lock.
pub fn take<T>(rng: &mut Rng, world: &World, of: impl Fn(&mut Shared) -> &mut Vec<T>) -> Option<T> {
    pick(rng, of(&mut world.shared()))
}

/// Blocks and bytes in use.
pub fn used() -> [usize; 4] {
    let arena = ARENA.memory();
    [
        (roams::memory().used + hurries::memory().used + lingers::memory().used) as usize,
        stays::memory().used as usize,
        TABLE.memory().used as usize,
        arena.live + arena.bytes,
    ]
}

/// Whether a spawn is refused, as it must be after a close.
pub fn refuses(world: &Arc<World>) -> bool {
    roams::spawn_on(&world.remote, Life::new(world, Rng::new(1), 0)).is_err()
}
