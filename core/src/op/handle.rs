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

use super::error::Error;
use super::keep::{KeepVtable, RawBuf};
use super::slot::{
    DETACHED, FREE, IN_FLIGHT, READY, REQ_CANCEL, REQ_DROP, REQ_WAKER, STATE_BITS, Slot, SlotKind, TAKING,
    pack, same_generation,
};
use crate::exec::{FLAG_RETRY, current};
use crate::file::FileEntry;
use crate::sync::Ordering;
use crate::task::{TaskRef, clone_waker};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// One activation of one slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotRef {
    slot: &'static Slot,
    generation: u32,
}

impl SlotRef {
    /// The present activation.
    pub fn of(slot: &'static Slot) -> Self {
        Self { slot, generation: slot.observe().1 }
    }

    /// Whether the operation has not had its terminal completion.
    pub fn in_flight(self) -> bool {
        let (state, generation) = self.slot.observe();
        (state == IN_FLIGHT || state == DETACHED) && same_generation(generation, self.generation)
    }

    /// Wakes the context when the operation, whose holder is gone, has ended.
    pub fn wake_at_end(self, cx: &Context<'_>) {
        if self.in_flight() && core::ptr::eq(current::worker(), self.slot.worker.get()) {
            drop(self.slot.put_waker(clone_waker(cx.waker())));
        } else {
            cx.waker().wake_by_ref();
        }
    }
}

/// What an operation leaves in its slot while it is in flight.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    pub(crate) raw: RawBuf,
    pub(crate) vtable: &'static KeepVtable,
    pub(crate) file: Option<&'static FileEntry>,
    pub(crate) kind: SlotKind,
}

/// What came out of a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub result: i32,
    /// The kept buffer, the holder's again.
    pub raw: RawBuf,
    /// The loop had no room: nothing was done, the caller begins again.
    pub again: bool,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Begun(SlotRef),
}

/// Drives one operation at a time.
#[derive(Debug)]
pub struct OpHandle {
    phase: Phase,
    cancelled: bool,
}

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
        Self { phase: Phase::Idle, cancelled: false }
    }

    pub(crate) fn slot(&self) -> Option<SlotRef> {
        match self.phase {
            Phase::Begun(slot) => Some(slot),
            Phase::Idle => None,
        }
    }

    pub(super) fn begun(&mut self, slot: &'static Slot, generation: u32) {
        self.phase = Phase::Begun(SlotRef { slot, generation });
        self.cancelled = false;
    }

    /// The common end of [`poll_end`](Self::poll_end): no error, on the owner's own task. Nothing happens in any
    /// other case.
    #[inline(always)]
    pub(crate) fn take_ready(&mut self) -> Option<(u32, RawBuf)> {
        let Phase::Begun(SlotRef { slot, generation }) = self.phase else { return None };
        let word = slot.state.load(Ordering::Acquire);
        if word != pack(READY, generation) {
            return None;
        }
        // First of all: what another thread's task owns may have another user by now (HANDLE-2).
        let task = own_task(slot)?;
        if slot.flags.get() != 0 {
            return None;
        }
        let result = u32::try_from(slot.result.get()).ok()?;
        self.phase = Phase::Idle;
        Some((result, take_own(slot, word, task)))
    }

    /// Waits for the operation that was begun.
    #[inline]
    pub(crate) fn poll_end(&mut self, cx: &Context<'_>) -> Poll<Result<Outcome, Error>> {
        match self.take_ready() {
            Some((result, raw)) => Poll::Ready(Ok(Outcome { result: result as i32, raw, again: false })),
            None => self.poll_end_unusual(cx),
        }
    }

    #[inline(never)]
    fn poll_end_unusual(&mut self, cx: &Context<'_>) -> Poll<Result<Outcome, Error>> {
        let Phase::Begun(SlotRef { slot, generation }) = self.phase else {
            return Poll::Ready(Err(Error::NoTask));
        };
        let word = slot.state.load(Ordering::Acquire);
        if word == pack(IN_FLIGHT, generation) {
            wait_again(slot, generation, cx);
            return Poll::Pending;
        }
        self.phase = Phase::Idle;
        if word != pack(READY, generation) {
            let closed = word == pack(DETACHED, generation);
            return Poll::Ready(Err(if closed { Error::Closed } else { Error::TaskEnded }));
        }
        match take_result(slot, word) {
            Some(mut outcome) => {
                outcome.again &= !self.cancelled;
                Poll::Ready(Ok(outcome))
            }
            None => Poll::Ready(Err(Error::TaskEnded)),
        }
    }

    /// Asks that the operation end soon; its result still comes through [`poll_end`](Self::poll_end).
    pub(crate) fn cancel(&mut self, cx: &Context<'_>) {
        let Phase::Begun(SlotRef { slot, generation }) = self.phase else { return };
        if self.cancelled || !(SlotRef { slot, generation }).in_flight() {
            return;
        }
        if core::ptr::eq(current::worker(), slot.worker.get()) {
            // SAFETY: WORKER-1.
            let worker = unsafe { &*slot.worker.get() };
            self.cancelled = worker.want_cancel(slot);
            if !self.cancelled {
                cx.waker().wake_by_ref();
            }
        } else {
            self.cancelled = true;
            slot.ask(generation, REQ_CANCEL);
        }
    }

    /// Lets the operation go; see the module's table.
    #[inline]
    pub(crate) fn abandon(&mut self) {
        if let Phase::Begun(SlotRef { slot, generation }) = core::mem::replace(&mut self.phase, Phase::Idle) {
            abandon(slot, generation);
        }
    }

    /// The armed operation goes on without this handle; [`adopt`](Self::adopt) finds it again.
    pub(crate) fn leave_armed(&mut self) {
        self.phase = Phase::Idle;
    }

    /// Takes over the operation that lies in `slot`, if there is one.
    pub(crate) fn adopt(&mut self, slot: &'static Slot) -> Adopted {
        let (state, generation) = slot.observe();
        match state {
            FREE => Adopted::Free,
            TAKING => Adopted::Busy,
            _ => {
                self.phase = Phase::Begun(SlotRef { slot, generation });
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

/// The slot must wake this context.
#[inline]
fn wait_again(slot: &'static Slot, generation: u32, cx: &Context<'_>) {
    if core::ptr::eq(current::worker(), slot.worker.get()) {
        if !slot.has_waker_like(cx.waker()) {
            drop(slot.put_waker(clone_waker(cx.waker())));
        }
    } else {
        drop(slot.alt_waker.put(clone_waker(cx.waker())));
        slot.ask(generation, REQ_WAKER);
    }
}

/// Takes the result out of a slot whose word is READY, and frees it; none when the owner's ending came first.
fn take_result(slot: &'static Slot, word: u32) -> Option<Outcome> {
    let own = own_task(slot);
    if own.is_none() && !slot.claim(word >> STATE_BITS) {
        return None;
    }
    let again = slot.flags.get() & FLAG_RETRY != 0;
    let result = slot.result.get();
    let raw = match own {
        Some(task) => take_own(slot, word, task),
        None => {
            let (raw, file) = kept(slot);
            give_back(slot, word >> STATE_BITS);
            release(file);
            raw
        }
    };
    Some(Outcome { result, raw, again })
}

/// The slot's task, when that is the one that runs here.
#[inline]
fn own_task(slot: &Slot) -> Option<TaskRef> {
    let owner = slot.owner.get();
    let own = !owner.is_null() && current::get().is_some_and(|worker| worker.task.get() == owner);
    own.then_some(TaskRef(owner))
}

/// HANDLE-2: takes what was kept, and frees the slot, on the owner's own task, which saw `word`.
#[inline]
fn take_own(slot: &'static Slot, word: u32, task: TaskRef) -> RawBuf {
    let (raw, file) = kept(slot);
    free_own(task, slot, word);
    release(file);
    raw
}

/// What lies in a READY slot of the caller's beside the result.
#[inline]
fn kept(slot: &Slot) -> (RawBuf, Option<&'static FileEntry>) {
    match slot.kind.get() {
        SlotKind::Keep | SlotKind::Multi => {
            // SAFETY: SLOT-1, READY and ours; the kind says that a `Keep` lies there.
            let keep = unsafe { (*slot.body.get()).assume_init_ref().keep };
            (keep.raw, keep.file)
        }
        _ => (RawBuf::NONE, None),
    }
}

#[inline]
fn release(file: Option<&'static FileEntry>) {
    if let Some(file) = file {
        file.release();
    }
}

/// HANDLE-2: on the owner's own task, which saw `word`.
#[inline]
fn free_own(task: TaskRef, slot: &'static Slot, word: u32) {
    let index = slot.index();
    slot.set_free_after(word);
    if index < 64 {
        let busy = &task.core().busy;
        busy.set(busy.get() & !(1 << index));
    }
}

/// A claimed slot goes back through its loop's thread, which may have a message of it in its inbox.
#[cold]
fn give_back(slot: &'static Slot, generation: u32) {
    let worker = slot.worker.get();
    if core::ptr::eq(current::worker(), worker) {
        // SAFETY: WORKER-1.
        unsafe { &*worker }.let_go(slot);
    } else {
        slot.ask(generation, REQ_DROP);
    }
}

/// The holder goes; see the module's table.
#[cold]
fn abandon(slot: &'static Slot, generation: u32) {
    let (state, now) = slot.observe();
    if !same_generation(now, generation) || state == DETACHED {
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
    /// Leaves a request for the loop's thread. When its runtime is closed the caller is the only one left.
    pub(crate) fn ask(&'static self, generation: u32, bits: u32) {
        if !self.request(generation, bits) {
            return;
        }
        // SAFETY: WORKER-1; an activation has a worker.
        let worker = unsafe { &*self.worker.get() };
        let ring = self.kind.get() != SlotKind::Timer || bits & REQ_DROP == 0;
        if !worker.post_slot(self, ring) {
            worker.take_late_post(self);
        }
    }
}

/// An operation that can be cancelled and awaited. `timeout` and `cancel` take these.
pub trait Operation: Future {
    /// Asks that it end soon. Poll it to its end afterwards: it gives its result, or a cancelled one.
    fn request_cancel(self: Pin<&mut Self>, cx: &mut Context<'_>);

    /// Whether an output says that the cancel came first.
    fn was_cancelled(output: &Self::Output) -> bool;

    /// Cancels, and waits for whichever came first: the result or the cancel.
    fn cancel(self) -> Cancelled<Self>
    where
        Self: Sized,
    {
        Cancelled { operation: self }
    }
}

/// See [`Operation::cancel`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Cancelled<O> {
    operation: O,
}

impl<O: Operation> Future for Cancelled<O> {
    type Output = O::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        // SAFETY: a structural projection; `Cancelled` has no drop of its own and is `Unpin` only if `O` is.
        let mut operation = unsafe { self.map_unchecked_mut(|c| &mut c.operation) };
        operation.as_mut().request_cancel(cx);
        let output = operation.as_mut().poll(cx);
        if output.is_pending() {
            // The poll may have begun it, for the first time or again after a full loop.
            operation.request_cancel(cx);
        }
        output
    }
}
