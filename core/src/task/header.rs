//! The 32 bytes that every task begins with, and the 32 of bookkeeping behind them.
//!
//! | field | who touches it, when |
//! |---|---|
//! | `state`, `refs` | everyone, by the steps of `state.rs` and `refs.rs` |
//! | `next` | the owner of the queue place; the pool while the block is free |
//! | `vtable` | written by the claimer before publish, then only read |
//! | `home` | written by the claimer and the runner, gone by where the queue place was won (STATE-3) |
//! | `busy`, `spares` | the runner, while RUNNING, at whatever worker: the queue place carries one runner's writes to the next; `busy` also the claimer, before publish |
//! | `queued_at` | the owner of the queue place, then the runner; what an observer measures a wait from |
//! | `join` | the join handle while JOIN_WAKER and `near` are clear; whoever JOIN-2 and JOIN-4 name otherwise |
//! | `left` | set by the runner, read and cleared by the join handle (JOIN-3); so it is clear in a free block |
//! | `near` | the join handle, and the runner whose done has found DETACHED; read by the runner before done (JOIN-4) |
//!
//! TASK-1 (R1): headers are `'static` and are never freed, only reused. A waker is an uncounted pointer
//! to one; a stale wake is a spurious poll. TASK-2: zeroed memory is a free task. TASK-3: slots lie right
//! behind the bookkeeping, at byte 64. TASK-4: from the begin of an activation the bits of `busy` from the
//! task's number of slots on are set, and nobody clears them.

use super::refs::Refs;
use super::state::{self, Place, StateWord};
use super::vtable::TaskVtable;
use crate::ahead;
use crate::atomics::{AtomicBool, AtomicPtr, Ordering};
use crate::exec::{Target, Worker, current};
use crate::observe::hook;
use crate::op::Slot;
use crate::queue::Linked;
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr;
use core::task::Waker;

/// See the module.
#[repr(C)]
pub struct Header {
    pub(crate) state: StateWord,
    pub(crate) refs: Refs,
    pub(crate) next: AtomicPtr<Header>,
    pub(crate) vtable: Cell<Option<&'static TaskVtable>>,
    pub(crate) home: AtomicPtr<Worker>,
}

const _: () = assert!(size_of::<Header>() == 32);

/// A header and its bookkeeping: what lies before the slots.
#[repr(C, align(64))]
pub struct TaskCore {
    pub(crate) header: Header,
    pub(crate) busy: Cell<u64>,
    pub(crate) join: UnsafeCell<MaybeUninit<Waker>>,
    pub(crate) spares: Cell<u16>,
    pub(crate) left: AtomicBool,
    pub(crate) near: Cell<bool>,
    #[cfg(feature = "trace")]
    pub(crate) queued_at: Cell<u32>,
}

const _: () = assert!(size_of::<TaskCore>() == 64);

// SAFETY: the table of the module says who touches which field when.
unsafe impl Sync for Header {}
// SAFETY: as above.
unsafe impl Sync for TaskCore {}

// SAFETY: `next` belongs to the owner of the queue place (STATE-3).
unsafe impl Linked for Header {
    #[inline]
    unsafe fn link<'a>(node: *const Self) -> &'a AtomicPtr<Self> {
        // SAFETY: TASK-1.
        unsafe { &(*node).next }
    }
}

impl core::fmt::Debug for Header {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Task({:p}, state {:#x}, refs {})", self, self.state.load(), self.refs.count())
    }
}

impl TaskCore {
    /// A free task.
    pub const fn new() -> Self {
        Self {
            header: Header {
                state: StateWord::new(),
                refs: Refs::new(),
                next: AtomicPtr::new(ptr::null_mut()),
                vtable: Cell::new(None),
                home: AtomicPtr::new(ptr::null_mut()),
            },
            busy: Cell::new(0),
            join: UnsafeCell::new(MaybeUninit::uninit()),
            spares: Cell::new(0),
            #[cfg(feature = "trace")]
            queued_at: Cell::new(0),
            left: AtomicBool::new(false),
            near: Cell::new(false),
        }
    }
}

impl Default for TaskCore {
    fn default() -> Self {
        Self::new()
    }
}

/// Who holds a published task beside its runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A join handle, which shares the runner's reference (JOIN-1).
    Join,
    /// Whoever has a reference of its own; there is no join handle.
    Counted,
}

/// A one-word handle to a task's header; uncounted (TASK-1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TaskRef(pub(crate) *const Header);

// SAFETY: TASK-1; a header may be used from any thread by its table.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl core::fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.header().fmt(f)
    }
}

impl TaskRef {
    #[inline]
    pub(crate) fn header(self) -> &'static Header {
        // SAFETY: TASK-1.
        unsafe { &*self.0 }
    }

    /// The bookkeeping behind the header.
    #[inline]
    pub(crate) fn core(self) -> &'static TaskCore {
        // SAFETY: every header is the first field of a `TaskCore`, from whose pointer it was made.
        unsafe { &*self.0.cast::<TaskCore>() }
    }

    #[inline]
    pub(crate) fn vtable(self) -> &'static TaskVtable {
        self.header().vtable.get().expect("unboxed: a task without a body was used")
    }

    /// The vtable, without a look whether there is one.
    ///
    /// # Safety
    /// The task is LIVE: the claimer writes the vtable before publish.
    #[inline]
    pub(crate) unsafe fn vtable_of_live(self) -> &'static TaskVtable {
        debug_assert!(self.header().vtable.get().is_some());
        // SAFETY: by this function's contract.
        unsafe { self.header().vtable.get().unwrap_unchecked() }
    }

    /// Asks for the memory that a poll of the task touches first.
    ///
    /// # Safety
    /// As [`vtable_of_live`](Self::vtable_of_live).
    #[inline]
    unsafe fn fetch_body_ahead(self) {
        // SAFETY: passed on.
        let body = self.0.wrapping_byte_add(unsafe { self.vtable_of_live() }.body as usize);
        ahead::fetch(body);
        ahead::fetch(body.wrapping_byte_add(64));
    }

    /// The task's own slots.
    #[inline]
    pub(crate) fn slots(self) -> &'static [Slot] {
        self.slots_of(self.vtable())
    }

    #[inline]
    pub(crate) fn slots_of(self, vtable: &TaskVtable) -> &'static [Slot] {
        let count = vtable.slots as usize;
        // SAFETY: TASK-3; the vtable knows how many there are.
        unsafe { core::slice::from_raw_parts(self.0.cast::<TaskCore>().add(1).cast::<Slot>(), count) }
    }

    /// One of the task's own slots.
    ///
    /// # Safety
    /// TASK-3: the task has more than `index`.
    #[inline]
    pub(crate) unsafe fn slot(self, index: u32) -> &'static Slot {
        // SAFETY: TASK-3, by this function's contract.
        unsafe { &*self.0.cast::<TaskCore>().add(1).cast::<Slot>().add(index as usize) }
    }

    /// Asks that the task be polled. From any thread.
    #[inline]
    pub fn wake(self) {
        self.wake_from(current::worker());
    }

    /// The same, on the thread of `worker`, within its turn.
    #[inline]
    pub(crate) fn wake_by(self, worker: &'static Worker) {
        self.wake_from(worker);
    }

    /// The same, where this thread is in a turn of `worker`, or of none.
    #[inline(always)]
    fn wake_from(self, worker: *const Worker) {
        // SAFETY: CURRENT-1 and WORKER-1.
        if let Some(worker) = unsafe { worker.as_ref() }
            && worker.takes_held(self)
        {
            self.enqueue_held(worker);
        } else if let Some(place) = self.header().state.wake() {
            self.enqueue(place, worker);
        }
    }

    /// The same between rounds of polls, where no task is held (HELD-1).
    #[inline]
    pub(crate) fn wake_on(self, worker: &'static Worker) {
        if let Some(place) = self.header().state.wake() {
            // SAFETY: STATE-3: the wake won the queue place of a LIVE task, which nobody starts before it is enqueued.
            unsafe { self.fetch_body_ahead() };
            self.enqueue(place, worker);
        }
    }

    /// Asks that the task's body be dropped instead of polled. From any thread.
    pub fn abort(self) {
        let place = self.header().state.abort();
        if let Some(worker) = current::get()
            && worker.takes_held(self)
        {
            self.enqueue_held(worker);
        } else if let Some(place) = place {
            self.enqueue(place, current::worker());
        }
    }

    /// The task's name, for messages.
    pub fn name(self) -> &'static str {
        self.header().vtable.get().map_or("(free)", |v| v.name)
    }

    /// Makes a claimed task live and queues it on this thread's worker. One whose kind is not pinned may move to the
    /// other workers.
    #[inline]
    pub(crate) fn publish_on(
        self,
        worker: &'static Worker,
        vtable: &'static TaskVtable,
        holder: Holder,
        kind: u32,
    ) {
        match kind {
            0 if worker.shares() => {
                self.publish(worker, vtable, holder, 0);
                worker.push_shared(self);
            }
            0 => {
                self.publish(worker, vtable, holder, state::PINNED);
                worker.queue.push(self);
            }
            _ => {
                self.publish(
                    worker,
                    vtable,
                    holder,
                    if worker.shares() { kind } else { state::pinned(kind) },
                );
                worker.push(self);
            }
        }
    }

    /// The same from outside of the worker's thread; the caller has begun a spawn there (SCHED-4).
    pub(crate) fn publish_from_outside(
        self,
        target: Target,
        vtable: &'static TaskVtable,
        holder: Holder,
        kind: u32,
    ) {
        let Target { worker, pinned } = target;
        let kind = if pinned { state::pinned(kind) } else { kind };
        self.publish(worker, vtable, holder, kind);
        if state::is_pinned(kind) {
            worker.post_task(self);
        } else {
            worker.scheduler().inject(self);
        }
    }

    #[inline]
    fn publish(self, worker: &'static Worker, vtable: &'static TaskVtable, holder: Holder, kind: u32) {
        let header = self.header();
        header.vtable.set(Some(vtable));
        self.core().busy.set(vtable.busy);
        let (refs, detached) = match holder {
            Holder::Join => (1, 0),
            Holder::Counted => (2, state::DETACHED),
        };
        header.refs.begin(refs);
        header.home.store(ptr::from_ref(worker).cast_mut(), Ordering::Relaxed);
        hook::published(self, worker, vtable);
        header.state.publish(kind | detached);
    }

    /// The same by the owner of the queue place, wherever this thread is.
    pub(crate) fn enqueue_here(self, place: Place) {
        self.enqueue(place, current::worker());
    }

    /// Puts the task where it runs next; the caller owns the queue place, and this thread is in a turn of
    /// `worker`, or of none.
    #[inline(always)]
    fn enqueue(self, place: Place, worker: *const Worker) {
        let home = self.header().home.load(Ordering::Relaxed);
        // SAFETY: a published task has a home, and workers are `'static` (WORKER-1).
        let home = unsafe { &*home };
        hook::woken(self, home, worker);
        match place {
            Place::Home if ptr::eq(worker, home) => home.queue.push(self),
            Place::Home => home.post_task(self),
            Place::Any => self.enqueue_anywhere(worker, home),
            Place::Lane => self.enqueue_in_lane(worker, home),
        }
    }

    /// The same for a task that was held there, and is the caller's (HELD-1). Not inlined, so that each wake is as small as
    /// without.
    #[inline(never)]
    fn enqueue_held(self, worker: &'static Worker) {
        hook::woken(self, worker, worker);
        worker.push(self);
    }

    /// The same for a task of another lane than the normal one, whose word says which: a pinned one to its home, any
    /// other one to the list that all workers of its scheduler share.
    #[cold]
    #[inline(never)]
    fn enqueue_in_lane(self, worker: *const Worker, home: &'static Worker) {
        // SAFETY: CURRENT-1 and WORKER-1.
        let worker = unsafe { worker.as_ref() };
        if state::is_pinned(self.header().state.load()) {
            match worker {
                Some(worker) if ptr::eq(worker, home) => home.push(self),
                _ => home.post_task(self),
            }
        } else {
            match worker {
                Some(worker) if ptr::eq(worker.scheduler(), home.scheduler()) => worker.push(self),
                _ => home.scheduler().inject(self),
            }
        }
    }

    /// The same for a task that may move: to this thread's worker, if that is one of those that share it. Not inlined,
    /// so that a worker that is alone does not carry it in each wake.
    #[inline(never)]
    fn enqueue_anywhere(self, worker: *const Worker, home: &'static Worker) {
        let scheduler = home.scheduler();
        // SAFETY: CURRENT-1 and WORKER-1.
        match unsafe { worker.as_ref() } {
            Some(worker) if ptr::eq(worker.scheduler(), scheduler) => worker.push_shared(self),
            _ => scheduler.inject(self),
        }
    }
}
