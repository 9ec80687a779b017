//! The handle of one operation: takes a slot, submits, waits, cancels, lets go. Every operation's future
//! is one of these and a little typing around it.
//!
//! | dropped while | what happens |
//! |---|---|
//! | not begun | nothing |
//! | waiting for room in the loop | the slot becomes free when its turn comes |
//! | in flight | orphan: a cancel is posted, the slot comes back at the terminal completion |
//! | ready, not taken | the result is used up (a buffer freed, a descriptor kept or closed) |
//! | taken | nothing |
//!
//! HANDLE-1: a handle names one activation by slot and generation; one that does not match any more belongs
//! to a task that ended. HANDLE-2: on the owner's own task the holder frees plainly, since that task cannot
//! end while it runs; elsewhere it claims first (SLOT-1).

use super::end::free_own;
use super::error::Error;
use super::keep::{KeepVtable, RawBuf};
use super::request::low;
use super::request::{Asked, REQ_CANCEL, REQ_DROP, REQ_WAKER};
use super::slot::Slot;
use super::slot_kind::SlotKind;
use super::word::{DETACHED, FREE, IN_FLIGHT, READY, TAKING};
use crate::atomics::Count;
use crate::exec::current;
use crate::file::{Direction, FileEntry};
use crate::task::{TaskRef, clone_waker};
use core::task::{Context, Waker};

/// One activation of one slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotRef {
    pub(super) slot: &'static Slot,
    pub(super) generation: Count,
}

impl SlotRef {
    #[inline]
    pub fn from_parts(slot: &'static Slot, low_generation: u32) -> Option<Self> {
        let now = Self::of(slot);
        (low(now.generation) == low_generation).then_some(now)
    }

    #[inline]
    pub fn into_parts(self) -> (&'static Slot, u32) {
        (self.slot, low(self.generation))
    }

    /// The present activation.
    pub fn of(slot: &'static Slot) -> Self {
        Self { slot, generation: slot.observe().1 }
    }

    /// Whether the operation has not had its terminal completion.
    pub fn in_flight(self) -> bool {
        let (state, generation) = self.slot.observe();
        (state == IN_FLIGHT || state == DETACHED) && generation == self.generation
    }

    /// Whether the slot still holds it.
    pub fn is_held(self) -> bool {
        let (state, generation) = self.slot.observe();
        state != FREE && generation == self.generation
    }

    /// Wakes the context when the operation, whose holder is gone, has ended.
    pub fn wake_at_end(self, cx: &Context<'_>) {
        let SlotRef { slot, generation } = self;
        if !core::ptr::eq(current::worker(), slot.worker.get()) {
            slot.leave_waker(generation, cx);
        } else if self.in_flight() {
            displaced(slot.put_waker(clone_waker(cx.waker())), cx);
        } else {
            cx.waker().wake_by_ref();
        }
    }
}

/// A slot has one place for a waker: whoever waited there looks again.
pub(super) fn displaced(old: Option<Waker>, cx: &Context<'_>) {
    if let Some(old) = old.filter(|old| !old.will_wake(cx.waker())) {
        old.wake();
    }
}

/// What an operation leaves in its slot while it is in flight.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    pub(crate) raw: RawBuf,
    pub(crate) vtable: &'static KeepVtable,
    pub(crate) file: Option<&'static FileEntry>,
    /// The lane of the file that is the operation's alone (USES-1).
    pub(crate) lane: Option<Direction>,
    pub(crate) kind: SlotKind,
}

/// What came out of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub result: i32,
    /// The kept buffer, the holder's again.
    pub raw: RawBuf,
    /// The loop had no room: nothing was done, the caller begins again.
    pub again: bool,
}

/// Drives one operation at a time.
#[derive(Debug)]
pub struct OpHandle {
    /// The slot of the operation that was begun, in `generation`.
    slot: Option<&'static Slot>,
    /// And whether it was asked to end, in the bit that no generation has.
    tag: Count,
}

const CANCELLED: Count = 1 << (Count::BITS - 1);

// SAFETY: KEEP-1; what it names may be used from any thread.
unsafe impl Send for OpHandle {}
// SAFETY: a shared handle gives nothing.
unsafe impl Sync for OpHandle {}

impl Default for OpHandle {
    fn default() -> Self {
        Self::new()
    }
}

impl OpHandle {
    /// A handle without an operation.
    pub const fn new() -> Self {
        Self { slot: None, tag: 0 }
    }

    #[inline]
    pub(crate) fn slot(&self) -> Option<SlotRef> {
        self.slot.map(|slot| SlotRef { slot, generation: self.generation() })
    }

    #[inline]
    fn generation(&self) -> Count {
        self.tag & !CANCELLED
    }

    /// Whether its end was asked for.
    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        self.tag & CANCELLED != 0
    }

    /// The operation has ended, and its slot is not this handle's any more.
    #[inline]
    pub(super) fn ended(&mut self) {
        self.slot = None;
    }

    #[inline]
    pub(super) fn begun(&mut self, slot: &'static Slot, generation: Count) {
        (self.slot, self.tag) = (Some(slot), generation);
    }

    /// Asks that the operation end soon; its result still comes through [`poll_end`](Self::poll_end).
    pub(crate) fn cancel(&mut self, cx: &Context<'_>) {
        let Some(SlotRef { slot, generation }) = self.slot() else { return };
        if self.is_cancelled() || !(SlotRef { slot, generation }).in_flight() {
            return;
        }
        if core::ptr::eq(current::worker(), slot.worker.get()) {
            // SAFETY: WORKER-1.
            let worker = unsafe { &*slot.worker.get() };
            if worker.want_cancel(slot) {
                self.tag |= CANCELLED;
            } else {
                cx.waker().wake_by_ref();
            }
        } else {
            self.tag |= CANCELLED;
            slot.ask(generation, REQ_CANCEL);
        }
    }

    /// Lets the operation go; see the module's table.
    #[inline]
    pub(crate) fn abandon(&mut self) {
        if let Some(slot) = self.slot.take() {
            abandon(slot, self.generation());
        }
    }

    /// The armed operation goes on without this handle; [`adopt`](Self::adopt) finds it again.
    pub(crate) fn leave_armed(&mut self) {
        self.slot = None;
    }

    /// Asks that the operation end, and leaves it armed until then, for whoever adopts it.
    pub(crate) fn leave_cancelled(&mut self) {
        if let Some(armed) = self.slot()
            && armed.in_flight()
        {
            let SlotRef { slot, generation } = armed;
            if core::ptr::eq(current::worker(), slot.worker.get()) {
                // SAFETY: WORKER-1. If the loop has no room for a cancel the operation stays armed.
                unsafe { &*slot.worker.get() }.want_cancel(slot);
            } else {
                slot.ask(generation, REQ_CANCEL);
            }
        }
        self.slot = None;
    }

    /// Whether a result is that of a cancel which this handle has not asked for: an earlier one's.
    pub(crate) fn ended_by_another(&self, result: i32) -> bool {
        !self.is_cancelled() && Error::check(result) == Err(Error::Cancelled)
    }

    /// Takes over the operation that lies in `slot`, if there is one.
    pub(crate) fn adopt(&mut self, slot: &'static Slot) -> Adopted {
        let (state, generation) = slot.observe();
        match state {
            FREE => Adopted::Free,
            TAKING => Adopted::Busy,
            _ => {
                self.begun(slot, generation);
                Adopted::Yes
            }
        }
    }
}

/// What was found in a slot that outlives futures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adopted {
    /// An operation.
    Yes,
    /// Nothing.
    Free,
    /// An operation whose result is taken, on its way back through its loop's thread.
    Busy,
}

impl Drop for OpHandle {
    #[inline]
    fn drop(&mut self) {
        self.abandon();
    }
}

/// The holder goes; see the module's table.
#[cold]
fn abandon(slot: &'static Slot, generation: Count) {
    let (state, now) = slot.observe();
    if now != generation || state == DETACHED {
        return;
    }
    let worker = slot.worker.get();
    if !core::ptr::eq(current::worker(), worker) {
        slot.ask(generation, REQ_DROP);
        return;
    }
    // SAFETY: WORKER-1.
    let worker = unsafe { &*worker };
    match state {
        IN_FLIGHT if slot.kind.get() == SlotKind::Timer && !slot.is_orphan() => {
            let waker = worker.drop_timer(slot);
            let owner = slot.owner.get();
            if worker.task.get() == owner && !owner.is_null() {
                free_own(TaskRef(owner), slot, slot.word());
            } else {
                worker.let_go(slot);
            }
            drop(waker);
        }
        IN_FLIGHT => drop(worker.orphan(slot)),
        READY if slot.claim(generation) => worker.discard(slot),
        _ => {}
    }
}

impl Slot {
    /// Leaves a waker for the loop's thread, to be woken at the end of the activation.
    pub(super) fn leave_waker(&'static self, generation: Count, cx: &Context<'_>) {
        displaced(self.alt_waker.put(clone_waker(cx.waker())), cx);
        self.ask(generation, REQ_WAKER);
    }

    /// Leaves a request for the loop's thread, and wakes it: somebody may wait for the slot or for its block.
    /// When its runtime is closed the caller is the only one left.
    pub(crate) fn ask(&'static self, generation: Count, bits: u32) {
        match self.requests.ask(generation, bits) {
            Asked::Posted => {}
            Asked::Post => {
                // SAFETY: WORKER-1; an activation has a worker.
                let worker = unsafe { &*self.worker.get() };
                if !worker.post_slot(self) {
                    worker.take_late_post(self);
                }
            }
            Asked::TooLate => self.wake_alt(),
        }
    }

    /// Whoever left a waker from another thread looks again.
    pub(crate) fn wake_alt(&self) {
        if let Some(waker) = self.alt_waker.take() {
            waker.wake();
        }
    }
}
