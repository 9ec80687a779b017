//! A set of workers that share work: who they are, who sleeps, what waits for any of them, and how they close.
//!
//! SCHED-1: the table of workers is filled while they start and never changes after that until all have closed;
//! workers are `'static` (WORKER-1). Who is called when is in `calls.rs`, how all close in `stages.rs`.
//! SCHED-5: others acknowledge for a worker only once they have made it absent, under the lock under which a scheduler is
//! opened, from idle or detached, and before it has acknowledged anything: so each acknowledges for itself or has an
//! other do so, and a scheduler is not opened again while one of its workers runs.

use super::calls::{Calls, Sleepers};
use super::idle::Idle;
use super::line::Line;
use super::stages::{Ack, Stages};
use super::worker::{ABSENT, DETACHED, IDLE, STARTED, Worker};
use crate::atomics::{AtomicPtr, AtomicU32, Ordering};
use crate::queue::{Injector, LocalQueue};
use crate::task::{Lane, TaskRef};
use core::ptr;
use spin::mutex::SpinMutex;

/// The most workers of one scheduler: as many as a word has bits, at most 32.
pub const WORKERS_MAX: usize = 32;

/// Who runs a task that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Any worker that has time. Tasks of `#[task(local)]` and of `scope`, and root tasks, stay where they are.
    #[default]
    Stealing,
    /// The worker on which it was spawned, always.
    PerCore,
}

/// See the module.
pub struct Scheduler {
    pub(crate) stages: Line<Stages>,
    pub(crate) calls: Line<Calls>,
    /// `Mode`.
    stealing: AtomicU32,
    /// `Idle`, for workers that start. Its lock is the opening's, too (SCHED-5).
    spin_ns: SpinMutex<u64>,
    /// The worker that gets the next spawn from outside, when each keeps its own.
    next: AtomicU32,
    pub(crate) injector: Line<Injector>,
    /// Background tasks that may move: a worker takes one at a time, when nothing else is ready or one is due.
    pub(crate) background: Line<Injector>,
    workers: [AtomicPtr<Worker>; WORKERS_MAX],
}

impl core::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Scheduler")
            .field("stages", &*self.stages)
            .field("calls", &*self.calls)
            .field("injected", &self.injector.len())
            .finish_non_exhaustive()
    }
}

impl Scheduler {
    pub(crate) const fn new() -> Self {
        Self {
            stages: Line::new(Stages::new()),
            calls: Line::new(Calls::new()),
            stealing: AtomicU32::new(0),
            spin_ns: SpinMutex::new(0),
            next: AtomicU32::new(0),
            injector: Line::new(Injector::new()),
            background: Line::new(Injector::new()),
            workers: [const { AtomicPtr::new(ptr::null_mut()) }; WORKERS_MAX],
        }
    }

    /// Takes a scheduler that is off for `count` workers, which `may_start` then; false when it is on.
    pub(crate) fn open(&self, count: usize, mode: Mode, idle: Idle, may_start: impl FnOnce()) -> bool {
        assert!(0 < count && count <= WORKERS_MAX, "unboxed: a scheduler has 1 to 32 workers");
        let mut spin_ns = self.spin_ns.lock();
        self.stages.open(count, || {
            self.stealing.store(u32::from(mode == Mode::Stealing && count > 1), Ordering::Relaxed);
            *spin_ns = idle.spin_ns();
            may_start();
        })
    }

    /// How many workers it has.
    pub(crate) fn count(&self) -> usize {
        self.stages.count()
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
        match Lane::of(task.header().state.load()) {
            Lane::Background => self.background.push(task),
            _ => self.injector.push(task),
        }
        self.notify();
    }

    /// A background task that a worker has made ready. A single one calls nobody, as in SHARE-3.
    pub(crate) fn push_background(&self, task: TaskRef) {
        self.background.push(task);
        if self.background.len() > 1 {
            self.notify();
        }
    }

    /// The oldest background task.
    pub(crate) fn take_background(&self) -> Option<TaskRef> {
        let mut taken = None;
        self.background.take(1, |task| taken = Some(task));
        taken
    }

    /// The same for several.
    #[cold]
    pub(crate) fn inject_all(&self, tasks: &LocalQueue, count: usize) {
        self.injector.push_all(tasks, count);
        self.notify();
    }

    /// Something was pushed that another worker may take.
    #[inline]
    pub(crate) fn notify(&self) {
        self.calls.notify(self);
    }

    /// The same right behind a locked step of this thread that came after the push.
    #[inline]
    pub(crate) fn notify_behind_step(&self) {
        self.calls.notify_behind_step(self);
    }

    // Spawns from outside.

    /// Begins a spawn from outside; none when the scheduler is not open.
    pub(crate) fn begin_spawn(&'static self) -> Option<Spawning> {
        let open = self.stages.begin_spawn();
        let spawning = Spawning(self);
        open.then_some(spawning)
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
        if self.stages.request_close() {
            self.ring_all();
        }
    }

    /// Whether a close was asked for.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        !self.stages.is_open()
    }

    /// A worker, or for one that never started the one who knows, acknowledges. Everybody looks again: the others
    /// may sleep over what has just become true, that no task is left.
    pub(crate) fn acknowledge(&self, ack: Ack, index: usize) {
        self.stages.acknowledge(ack, index);
        self.ring_all();
    }

    /// A worker will never start: nobody waits for it. Nothing happens if it has started, or is absent already.
    pub(crate) fn absent(&self, index: usize, life: &AtomicU32) {
        let made_absent = {
            let _opening = self.spin_ns.lock();
            // SCHED-5.
            !self.stages.has(Ack::Stopped, index)
                && (life.compare_exchange(IDLE, ABSENT, Ordering::AcqRel, Ordering::Acquire).is_ok()
                    || life.load(Ordering::Acquire) == DETACHED)
        };
        if !made_absent {
            return;
        }
        self.acknowledge(Ack::Stopped, index);
        self.acknowledge(Ack::Drained, index);
        self.stages.acknowledge(Ack::Leaving, index);
        self.closed(index);
    }

    /// A worker has let everything go; after the last one the scheduler may be opened again. The table of workers
    /// stays: spares that are still taken are found through it.
    pub(crate) fn closed(&self, index: usize) {
        if self.stages.acknowledge(Ack::Closed, index) {
            self.stages.off();
        }
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
        if self.0.stages.end_spawn() {
            self.0.ring_all();
        }
    }
}

impl Sleepers for Scheduler {
    fn call_one(&self) -> bool {
        let called = self.workers().find(|worker| worker.parker.call());
        called.map(Worker::ring_called).is_some()
    }

    fn any_sleeps(&self) -> bool {
        self.workers().any(|worker| worker.parker.is_sleeping())
    }
}
