//! The worker's control block: `'static`, so that wakers, slots and doorbells may point to it for ever.
//!
//! | field | who touches it, when |
//! |---|---|
//! | `life`, `inbox`, `posts`, `parker`, `bell` | everyone |
//! | `ring` | its owner pushes, everyone takes (STEAL-1, STEAL-2) |
//! | `tick`, `stats`, `in_flight`, `at_work` | written by the owner, read by everyone |
//! | `scheduler`, `spares`, `spares_len` | written by the start, before the worker is in the scheduler's table, then read by everyone |
//! | all others | the thread that started the worker (WORKER-2) |
//!
//! A task may have slots at several workers, and end at yet another. What another thread does to a worker or its
//! slots for such a task goes through `inbox`, `posts`, a slot's `requests` and its `hold`, or is done to a slot that
//! it has claimed; never to a `Cell` of the worker.
//!
//! SPARE-1: a free spare without an owner is taken by the thread of the worker whose storage it lies in; one with an
//! owner by that task's runner alone. It loses its owner once it is free, by the runner that ends the task, or before
//! it becomes free, by whoever lets it go for a task that has ended.

use super::batch::Batch;
use super::lanes::Lanes;
use super::line::Line;
use super::park::Parker;
use super::root::{RootBlock, RootBody};
use super::scheduler::Scheduler;
use super::share::RING;
use super::stats::{Gauge, Stats, count};
use crate::atomics::{AtomicBool, AtomicU32, Count, Ordering, SharedPtr};
use crate::event_loop::{Descriptor, Doorbell, EventLoop};
use crate::memory::MapNode;
#[cfg(feature = "trace")]
use crate::observe::Observer;
use crate::op::{Queued, Slot};
use crate::queue::{Inbox, LocalQueue, StealQueue};
use crate::task::{Header, TaskRef};
use crate::time::Wheel;
use core::cell::Cell;
use core::ptr;
use spin::mutex::SpinMutex;

/// Life of a worker: idle, started, closed. A closed one may start again if nothing stayed detached.
pub(crate) const IDLE: u32 = 0;
pub(crate) const STARTED: u32 = 1;
pub(crate) const CLOSING: u32 = 2;
/// Closed, and something stayed detached.
pub(crate) const DETACHED: u32 = 3;
/// Not to be started before its scheduler is opened again (SCHED-5).
pub(crate) const ABSENT: u32 = 4;

/// Of `ways`: others take tasks from this worker, and it from them.
pub(crate) const SHARES: u8 = 1;
/// Of `ways`: its next start must not be made without a look at the lanes (`lanes.rs`).
pub(crate) const APART: u8 = 1 << 1;

/// The memory of one worker: `ROOT_OPS` slots for the root task, `SPARES` for tasks whose own are used up.
///
/// Zero until started, so a static of this type lies in `.bss`.
#[derive(Debug)]
pub struct WorkerStorage<const ROOT_OPS: usize = 16, const SPARES: usize = 64> {
    /// For a worker that is alone.
    pub(crate) alone: Scheduler,
    pub(crate) worker: Worker,
    pub(crate) root: RootBlock<ROOT_OPS>,
    pub(crate) spares: [Slot; SPARES],
    pub(super) node: MapNode,
}

impl<const ROOT_OPS: usize, const SPARES: usize> WorkerStorage<ROOT_OPS, SPARES> {
    /// Storage for one worker.
    pub const fn new() -> Self {
        const { assert!(ROOT_OPS <= 64, "the root task has at most 64 slots of its own") };
        Self {
            alone: Scheduler::new(),
            worker: Worker::new(),
            root: RootBlock::new(),
            spares: [const { Slot::new() }; SPARES],
            node: MapNode::new(),
        }
    }
}

impl<const ROOT_OPS: usize, const SPARES: usize> Default for WorkerStorage<ROOT_OPS, SPARES> {
    fn default() -> Self {
        Self::new()
    }
}

/// See the module; the fields' rules are WORKER-1 to WORKER-3.
pub struct Worker {
    // Written by others, or read by others and written hardly ever.
    pub(crate) life: Line<AtomicU32>,
    pub(crate) inbox: Line<Inbox<Header>>,
    pub(crate) posts: Line<Inbox<Slot>>,
    pub(crate) parker: Line<Parker>,
    /// Whoever turns this worker wants to look at something (`nudge`).
    pub(super) nudged: Line<AtomicBool>,
    bell: Line<SpinMutex<Option<&'static dyn Doorbell>>>,
    /// Written before the worker's first task, and never changed while one is left (SCHED-1).
    scheduler: Line<SharedPtr<Scheduler>>,
    /// Others steal from it; the rest of `StealQueue` is the owner's.
    pub(crate) ring: Line<StealQueue<Header, RING>>,
    pub(crate) tick: Line<Tick>,
    // The owner's.
    pub(crate) index: Cell<u32>,
    /// Zero for a worker that is alone and knows one lane: see `SHARES` and `APART`.
    pub(crate) ways: Cell<u8>,
    /// Whether it counts among the searchers (SCHED-2).
    pub(crate) searching: Cell<bool>,
    /// Whether a sleep outside of the turn is announced (REST-1).
    pub(crate) resting: Cell<bool>,
    /// How many tasks the ring holds when the next worker is called (SHARE-1).
    pub(crate) call_at: Cell<usize>,
    /// A victim with one task, its tick, and for how many looks it has been the same (SHARE-2).
    pub(crate) watched: Cell<(u32, u32, u32)>,
    pub(crate) random: Cell<u32>,
    pub(crate) queue: LocalQueue,
    pub(crate) lanes: Lanes,
    pub(crate) task: Cell<*const Header>,
    /// HELD-1.
    pub(super) held: Cell<*const Header>,
    /// The loop while spawns and submissions are taken.
    pub(crate) open: Cell<Option<&'static dyn EventLoop>>,
    /// The loop between start and close.
    pub(crate) event_loop: Cell<Option<&'static dyn EventLoop>>,
    pub(crate) batch: Batch,
    pub(crate) wheel: Wheel,
    pub(crate) orphans: SlotList,
    pub(crate) full: SlotList,
    /// Written before the worker is enlisted.
    spares: SharedPtr<Slot>,
    spares_len: AtomicU32,
    spares_max: AtomicU32,
    pub(crate) spares_per_task: Cell<u32>,
    /// Whether its thread turns it, or may leave something in its ring: zero is away (SHARE-5).
    pub(super) at_work: AtomicBool,
    pub(crate) in_flight: Gauge,
    pub(crate) root: Cell<*const Header>,
    pub(crate) root_body: Cell<RootBody>,
    /// When a turn ends its sleep at the latest, as its complement: zero is never.
    wake_at: Cell<u64>,
    /// How long it spins before it sleeps, and the end of the spin that it is in, or zero.
    pub(super) spin_ns: Cell<u64>,
    pub(super) spin_until: Cell<u64>,
    /// How long its last sleep beside a worker that is awake could be, or zero (SHARE-3).
    pub(super) watch_ns: Cell<u64>,
    /// Counters.
    pub stats: Stats,
    #[cfg(feature = "trace")]
    pub(crate) observer: Observer,
}

// SAFETY: WORKER-2.
unsafe impl Sync for Worker {}

impl core::fmt::Debug for Worker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Any thread may ask a static, and everything else is the worker's thread's (WORKER-2).
        write!(f, "Worker({self:p})")
    }
}

impl Worker {
    pub(crate) const fn new() -> Self {
        Self {
            life: Line::new(AtomicU32::new(IDLE)),
            inbox: Line::new(Inbox::new()),
            posts: Line::new(Inbox::new()),
            parker: Line::new(Parker::new()),
            nudged: Line::new(AtomicBool::new(false)),
            bell: Line::new(SpinMutex::new(None)),
            scheduler: Line::new(SharedPtr::null()),
            ring: Line::new(StealQueue::new()),
            tick: Line::new(Tick::new()),
            index: Cell::new(0),
            ways: Cell::new(0),
            searching: Cell::new(false),
            resting: Cell::new(false),
            call_at: Cell::new(0),
            watched: Cell::new((0, 0, 0)),
            random: Cell::new(0),
            queue: LocalQueue::new(),
            lanes: Lanes::new(),
            task: Cell::new(ptr::null()),
            held: Cell::new(ptr::null()),
            open: Cell::new(None),
            event_loop: Cell::new(None),
            batch: Batch::new(),
            wheel: Wheel::new(),
            orphans: SlotList::new(),
            full: SlotList::new(),
            spares: SharedPtr::null(),
            spares_len: AtomicU32::new(0),
            spares_max: AtomicU32::new(0),
            spares_per_task: Cell::new(0),
            at_work: AtomicBool::new(false),
            in_flight: Gauge::new(),
            root: Cell::new(ptr::null()),
            root_body: Cell::new(RootBody::NONE),
            wake_at: Cell::new(0),
            spin_ns: Cell::new(0),
            spin_until: Cell::new(0),
            watch_ns: Cell::new(0),
            stats: Stats::new(),
            #[cfg(feature = "trace")]
            observer: Observer::new(),
        }
    }

    /// The scheduler; there is one from the first start on.
    #[inline]
    pub(crate) fn scheduler(&self) -> &'static Scheduler {
        // SAFETY: SCHED-1: it lies in the same static as the worker.
        unsafe { &*self.scheduler.get() }
    }

    /// Whether it ever was.
    pub(super) fn was_started(&self) -> bool {
        !self.scheduler.get().is_null()
    }

    /// Joins a scheduler, before the worker's first task.
    pub(crate) fn join(&'static self, scheduler: &'static Scheduler, index: usize) {
        self.scheduler.set(scheduler);
        self.index.set(index as u32);
        self.ways.set(if scheduler.is_stealing() { SHARES } else { 0 });
        self.searching.set(false);
        self.lanes.start();
        self.spin_ns.set(scheduler.spin_ns());
        self.spin_until.set(0);
        self.watch_ns.set(0);
        scheduler.enlist(index, self);
    }

    /// The loop; there is one between start and close.
    #[inline]
    pub(crate) fn event_loop(&self) -> &'static dyn EventLoop {
        self.event_loop.get().expect("unboxed: the runtime of this worker is closed")
    }

    /// The task being polled.
    #[inline]
    pub(crate) fn task(&self) -> Option<TaskRef> {
        let task = self.task.get();
        (!task.is_null()).then_some(TaskRef(task))
    }

    /// Whether spawns and submissions are taken.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.open.get().is_some()
    }

    /// The slots for tasks that have used up their own.
    pub(crate) fn spares(&self) -> &'static [Slot] {
        let data = self.spares.get();
        if data.is_null() {
            return &[];
        }
        // SAFETY: WORKER-1: the slice that `set_spares` was given.
        unsafe { core::slice::from_raw_parts(data, self.spares_len.load(Ordering::Relaxed) as usize) }
    }

    pub(crate) fn set_spares(&self, spares: &'static [Slot]) {
        self.spares_len.store(spares.len() as u32, Ordering::Relaxed);
        self.spares.set(spares.as_ptr());
    }

    /// When a turn ends its sleep at the latest, in nanoseconds of the loop's clock.
    #[inline]
    pub(crate) fn wake_at(&self) -> u64 {
        !self.wake_at.get()
    }

    pub(crate) fn set_wake_at(&self, deadline: u64) {
        self.wake_at.set(!deadline);
    }

    pub(crate) fn set_bell(&self, bell: Option<&'static dyn Doorbell>) {
        *self.bell.lock() = bell;
    }

    fn ring(&self) {
        if self.parker.must_ring() {
            self.ring_sleeper();
        }
    }

    /// Lets the present or the next turn that would sleep come back at once, from any thread: whoever turns it looks at
    /// something that was written before. The word is taken where a sleep is refused and nowhere else, so a look
    /// that came just before the writing is always followed by another one.
    #[cold]
    pub(crate) fn nudge(&self) {
        self.nudged.store(true, Ordering::Release);
        self.ring();
    }

    /// For whoever took the flag of its sleep (PARK-2).
    #[cold]
    pub(super) fn ring_sleeper(&self) {
        self.stats.doorbells.add_from_anywhere();
        self.ring_bell();
    }

    /// For whoever called this sleeper to look for work.
    #[cold]
    pub(super) fn ring_called(&self) {
        self.stats.calls.add_from_anywhere();
        self.ring_bell();
    }

    /// Ends the present or the next sleep.
    #[cold]
    pub(crate) fn ring_bell(&self) {
        self.is_rung();
        let bell = *self.bell.lock();
        if let Some(bell) = bell {
            bell.ring();
        }
    }

    /// A task from another thread; dropped when the worker is closed.
    #[cold]
    pub(crate) fn post_task(&self, task: TaskRef) {
        // SAFETY: TASK-1, and the caller owns the queue place (STATE-3).
        if unsafe { self.inbox.push(task.0) }.is_ok() {
            self.ring();
        }
    }

    /// A slot with a request from another thread; false when the worker is closed.
    #[cold]
    pub(crate) fn post_slot(&self, slot: &'static Slot) -> bool {
        // SAFETY: SLOT-3; a slot is posted by whoever saw its request word empty.
        if unsafe { self.posts.push(slot) }.is_err() {
            return false;
        }
        self.ring();
        true
    }

    /// Hands an operation to the loop; a full loop keeps the slot waiting without its descriptor.
    ///
    /// # Safety
    /// R0 and R4: what `op` names outlives the terminal completion.
    #[inline]
    pub(crate) unsafe fn submit(
        &self,
        event_loop: &'static dyn EventLoop,
        slot: &'static Slot,
        generation: Count,
        op: &Descriptor,
    ) {
        self.in_flight.set(self.in_flight.get() + 1);
        count(&self.stats.submitted);
        self.op_queued(slot, generation, op);
        // SAFETY: passed on.
        if unsafe { event_loop.submit(slot.token(generation), op) }.is_err() {
            self.starve(slot);
        }
    }

    #[cold]
    fn starve(&self, slot: &'static Slot) {
        count(&self.stats.starved);
        slot.queued.set(Queued::Submit);
        self.full.push(slot);
    }

    /// A spare slot for a task that has used up its own.
    pub(crate) fn take_spare(&self, task: TaskRef) -> Option<&'static Slot> {
        let taken = &task.core().spares;
        let mine = |s: &&Slot| s.is_free() && s.owner.get() == task.0;
        // SPARE-1.
        let nobodys = |s: &&Slot| s.is_free() && s.owner.get().is_null();
        let spares = self.spares();
        // Also one that it took on another worker: a slot is memory, and whichever loop it is given to next is
        // its loop.
        if taken.get() > 0
            && let Some(slot) = self.all_spares().find(mine)
        {
            return Some(slot);
        }
        if u32::from(taken.get()) >= self.spares_per_task.get().min(u16::MAX.into()) {
            return None;
        }
        let slot = spares.iter().find(nobodys)?;
        taken.set(taken.get() + 1);
        count(&self.stats.spares_taken);
        // This one is not its task's yet.
        self.spares_max.fetch_max(self.spares_used() + 1, Ordering::Relaxed);
        Some(slot)
    }

    /// Spares that belong to a task now.
    pub(super) fn spares_used(&self) -> u32 {
        self.spares().iter().filter(|slot| !slot.owner.get().is_null()).count() as u32
    }

    /// The most that did at once.
    pub(super) fn spares_max(&self) -> u32 {
        self.spares_max.load(Ordering::Relaxed)
    }

    /// The spares of all workers among which a task moves.
    pub(crate) fn all_spares(&self) -> impl Iterator<Item = &'static Slot> + Clone {
        self.scheduler().workers().flat_map(Self::spares)
    }

    /// Whether a slot is one of those.
    pub(crate) fn is_spare(&self, slot: &Slot) -> bool {
        let here = ptr::from_ref(slot);
        self.scheduler().workers().any(|worker| worker.spares().as_ptr_range().contains(&here))
    }
}

/// Counts what the owner starts; others see whether it moves.
#[derive(Debug)]
pub(crate) struct Tick(AtomicU32);

impl Tick {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// One more; the owner's.
    #[inline]
    pub fn count(&self) -> u32 {
        let tick = self.0.load(Ordering::Relaxed).wrapping_add(1);
        self.0.store(tick, Ordering::Relaxed);
        tick
    }

    /// As anybody sees it.
    pub fn seen(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A list of slots linked by `link`, the loop's own field.
#[derive(Debug)]
pub(crate) struct SlotList {
    head: Cell<*const Slot>,
    tail: Cell<*const Slot>,
}

impl SlotList {
    pub const fn new() -> Self {
        Self { head: Cell::new(ptr::null()), tail: Cell::new(ptr::null()) }
    }

    pub fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    pub fn push(&self, slot: &'static Slot) {
        slot.link.set(ptr::null());
        let tail = self.tail.replace(slot);
        if tail.is_null() {
            self.head.set(slot);
        } else {
            // SAFETY: SLOT-3.
            unsafe { &*tail }.link.set(slot);
        }
    }

    pub fn pop(&self) -> Option<&'static Slot> {
        // SAFETY: SLOT-3.
        let slot = unsafe { self.head.get().as_ref() }?;
        self.head.set(slot.link.get());
        if self.head.get().is_null() {
            self.tail.set(ptr::null());
        }
        Some(slot)
    }

    /// Everything at once, leaving the list empty.
    pub fn take(&self) -> SlotList {
        let taken = SlotList::new();
        taken.head.set(self.head.replace(ptr::null()));
        taken.tail.set(self.tail.replace(ptr::null()));
        taken
    }
}
