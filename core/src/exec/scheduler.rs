//! A set of workers that share work: who they are, who sleeps, what waits for any of them, and how they close.
//!
//! SCHED-1: the table of workers is filled while they start and never changes after that until all have closed;
//! workers are `'static` (WORKER-1). SCHED-2: `searching` counts workers that look for work elsewhere. One that
//! finds some, or gives up, takes itself off the count *before* it announces its sleep, and looks once more
//! afterwards; so whoever pushes, fences, and finds a searcher may leave it at that. SCHED-3: `sleeping` counts
//! announcements: it is raised before one and lowered after it, so a pusher that finds it zero behind its fence
//! was seen by every later look. SCHED-4: `stage` only grows between two starts, and each worker acknowledges
//! a stage once; nothing is spawned after all have acknowledged [`STOPPING`].

use super::idle::Idle;
use super::worker::{STARTED, Worker};
use crate::atomics::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};
use crate::queue::{Injector, LocalQueue};
use crate::task::TaskRef;
use core::ptr;
use spin::mutex::SpinMutex;

/// The most workers of one scheduler: as many as a word has bits, at most 32.
pub const WORKERS_MAX: usize = 32;

/// Nobody has started, or all have closed.
pub(crate) const OFF: u32 = 0;
/// Tasks run.
pub(crate) const OPEN: u32 = 1;
/// A close was asked for: each worker acknowledges that it takes no more spawns.
pub(crate) const STOPPING: u32 = 2;

/// What a worker acknowledges, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ack {
    /// It takes no spawns any more.
    Stopped = 0,
    /// Nothing of its own is in flight, and no task is left.
    Drained = 1,
    /// It has let everything go.
    Closed = 2,
}

/// Who runs a task that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Any worker that has time. Tasks of `#[task(local)]`, scopes and root tasks stay where they are.
    #[default]
    Stealing,
    /// The worker on which it was spawned, always.
    PerCore,
}

/// See the module.
pub struct Scheduler {
    pub(crate) stage: AtomicU32,
    /// How many workers there are.
    count: AtomicU32,
    /// `Mode`.
    stealing: AtomicU32,
    /// `Idle`, for workers that start.
    spin_ns: SpinMutex<u64>,
    searching: AtomicU32,
    sleeping: AtomicU32,
    /// Spawns from outside that are being made.
    spawning: AtomicU32,
    /// The worker that gets the next spawn from outside, when each keeps its own.
    next: AtomicU32,
    acks: [AtomicUsize; 3],
    pub(crate) injector: Injector,
    workers: [AtomicPtr<Worker>; WORKERS_MAX],
}

impl core::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Scheduler")
            .field("stage", &self.stage.load(Ordering::Relaxed))
            .field("workers", &self.count.load(Ordering::Relaxed))
            .field("searching", &self.searching.load(Ordering::Relaxed))
            .field("sleeping", &self.sleeping.load(Ordering::Relaxed))
            .field("injected", &self.injector.len())
            .finish_non_exhaustive()
    }
}

impl Scheduler {
    pub(crate) const fn new() -> Self {
        Self {
            stage: AtomicU32::new(OFF),
            count: AtomicU32::new(0),
            stealing: AtomicU32::new(0),
            spin_ns: SpinMutex::new(0),
            searching: AtomicU32::new(0),
            sleeping: AtomicU32::new(0),
            spawning: AtomicU32::new(0),
            next: AtomicU32::new(0),
            acks: [const { AtomicUsize::new(0) }; 3],
            injector: Injector::new(),
            workers: [const { AtomicPtr::new(ptr::null_mut()) }; WORKERS_MAX],
        }
    }

    /// Takes a scheduler that is off for `count` workers; false when it is on.
    pub(crate) fn open(&self, count: usize, mode: Mode, idle: Idle) -> bool {
        assert!(0 < count && count <= WORKERS_MAX, "unboxed: a scheduler has 1 to 32 workers");
        if self.stage.compare_exchange(OFF, STOPPING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        for ack in &self.acks {
            ack.store(0, Ordering::Relaxed);
        }
        self.count.store(count as u32, Ordering::Relaxed);
        self.stealing.store(u32::from(mode == Mode::Stealing && count > 1), Ordering::Relaxed);
        *self.spin_ns.lock() = idle.spin_ns();
        self.stage.store(OPEN, Ordering::Release);
        true
    }

    /// How many workers it has.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed) as usize
    }

    /// Whether its workers share tasks.
    pub(crate) fn is_stealing(&self) -> bool {
        self.stealing.load(Ordering::Relaxed) != 0
    }

    /// How long a worker spins before it sleeps.
    pub(crate) fn spin_ns(&self) -> u64 {
        *self.spin_ns.lock()
    }

    pub(crate) fn enlist(&self, index: usize, worker: &'static Worker) {
        self.workers[index].store(ptr::from_ref(worker).cast_mut(), Ordering::Release);
    }

    /// One of the workers, if it has started.
    #[inline]
    pub(crate) fn worker(&self, index: usize) -> Option<&'static Worker> {
        // SAFETY: SCHED-1.
        unsafe { self.workers[index].load(Ordering::Acquire).as_ref() }
    }

    /// The workers that have started.
    pub(crate) fn workers(&self) -> impl Iterator<Item = &'static Worker> + Clone + '_ {
        (0..self.count()).filter_map(|index| self.worker(index))
    }

    // Work.

    /// A task for any worker; the caller owns its queue place.
    #[cold]
    pub(crate) fn inject(&self, task: TaskRef) {
        self.injector.push(task);
        self.notify();
    }

    /// The same for several.
    #[cold]
    pub(crate) fn inject_all(&self, tasks: &LocalQueue, count: usize) {
        self.injector.push_all(tasks, count);
        self.notify();
    }

    /// Something was pushed that another worker may take: wakes one, unless one is looking already (SCHED-2).
    #[inline]
    pub(crate) fn notify(&self) {
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) != 0 && self.searching.load(Ordering::Relaxed) == 0 {
            self.call_one();
        }
    }

    #[cold]
    fn call_one(&self) {
        // Counted before it is called, so that it is the sleeper's to end whenever it wakes (PARK-4).
        while self.searching.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            if let Some(worker) = self.workers().find(|worker| worker.parker.call()) {
                return worker.ring_sleeper();
            }
            // Who saw the count meanwhile relied on a search: look once more for a sleeper in its place.
            self.searching.fetch_sub(1, Ordering::AcqRel);
            fence(Ordering::SeqCst);
            if !self.workers().any(|worker| worker.parker.is_sleeping()) {
                return;
            }
        }
    }

    /// Joins the searchers; false when there are enough of them.
    pub(crate) fn begin_search(&self) -> bool {
        if self.searching.load(Ordering::Relaxed) as usize * 2 >= self.count() {
            return false;
        }
        self.searching.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// Leaves them; true for the last one.
    pub(crate) fn end_search(&self) -> bool {
        self.searching.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Before the announcement of a sleep (SCHED-3).
    pub(crate) fn fall_asleep(&self) {
        self.sleeping.fetch_add(1, Ordering::AcqRel);
    }

    /// After its end.
    pub(crate) fn wake_up(&self) {
        self.sleeping.fetch_sub(1, Ordering::AcqRel);
    }

    // Spawns from outside.

    /// Begins a spawn from outside; none when the scheduler is not open.
    pub(crate) fn begin_spawn(&'static self) -> Option<Spawning> {
        self.spawning.fetch_add(1, Ordering::SeqCst);
        let spawning = Spawning(self);
        (self.stage.load(Ordering::SeqCst) == OPEN).then_some(spawning)
    }

    /// The worker whose turn it is to get one.
    pub(crate) fn next_worker(&self) -> Option<&'static Worker> {
        let count = self.count();
        let first = self.next.fetch_add(1, Ordering::Relaxed) as usize;
        let at = |step: usize| self.worker(first.wrapping_add(step) % count);
        (0..count).filter_map(at).find(|worker| worker.life.load(Ordering::Acquire) == STARTED)
    }

    // The close.

    /// Asks every worker to close.
    pub(crate) fn request_close(&self) {
        if self.stage.compare_exchange(OPEN, STOPPING, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
            self.ring_all();
        }
    }

    /// Whether a close was asked for.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.stage.load(Ordering::Acquire) != OPEN
    }

    fn everyone(&self) -> usize {
        usize::MAX >> (usize::BITS as usize - self.count())
    }

    /// A worker, or for one that never started the one who knows, acknowledges. Everybody looks again: the others
    /// may sleep over what has just become true, that no task is left.
    pub(crate) fn acknowledge(&self, ack: Ack, index: usize) {
        self.acks[ack as usize].fetch_or(1 << index, Ordering::AcqRel);
        self.ring_all();
    }

    /// Whether everybody has.
    pub(crate) fn all(&self, ack: Ack) -> bool {
        self.acks[ack as usize].load(Ordering::Acquire) == self.everyone()
    }

    /// Whether nothing is spawned any more (SCHED-4).
    pub(crate) fn has_stopped(&self) -> bool {
        self.all(Ack::Stopped) && self.spawning.load(Ordering::SeqCst) == 0
    }

    /// A worker will never start: nobody waits for it.
    pub(crate) fn absent(&self, index: usize) {
        self.acknowledge(Ack::Stopped, index);
        self.acknowledge(Ack::Drained, index);
        self.closed(index);
    }

    /// A worker has let everything go; after the last one the scheduler may be opened again.
    pub(crate) fn closed(&self, index: usize) {
        let acks = &self.acks[Ack::Closed as usize];
        if acks.fetch_or(1 << index, Ordering::AcqRel) | 1 << index == self.everyone() {
            self.off();
        }
    }

    /// It may be opened again. The table of workers stays: spares that are still taken are found through it.
    pub(crate) fn off(&self) {
        self.stage.store(OFF, Ordering::Release);
    }

    fn ring_all(&self) {
        self.workers().for_each(Worker::ring_bell);
    }
}

/// A spawn from outside that is being made; a close waits for its end (SCHED-4).
#[derive(Debug)]
pub(crate) struct Spawning(&'static Scheduler);

impl Drop for Spawning {
    fn drop(&mut self) {
        if self.0.spawning.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.is_closing() {
            self.0.ring_all();
        }
    }
}
