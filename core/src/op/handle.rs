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
use super::keep::{Keep, KeepVtable, RawBuf};
use super::slot::{
    DETACHED, FREE, IN_FLIGHT, READY, REQ_CANCEL, REQ_DROP, REQ_WAKER, Slot, SlotBody, SlotKind, TAKING,
    TimerBody, same_generation,
};
use crate::event_loop::Descriptor;
use crate::exec::{FLAG_RETRY, Worker, current};
use crate::file::FileEntry;
use crate::task::{TaskRef, clone_waker};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

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

    /// Begins an operation in a slot of the running task.
    ///
    /// # Safety
    /// R0 and R4: what `op` names lies in the task's block, is kept by `parts`, or is static.
    #[inline]
    pub(crate) unsafe fn begin(
        &mut self,
        cx: &Context<'_>,
        op: &Descriptor,
        parts: Option<Parts>,
    ) -> Result<(), Error> {
        let (worker, task) = place()?;
        let slot = take_slot(worker, task)?;
        // SAFETY: passed on; the slot is the task's and free.
        unsafe { self.begin_in(worker, task.0, slot, clone_waker(cx.waker()), op, parts) };
        Ok(())
    }

    /// The same in a slot that belongs to no task.
    ///
    /// # Safety
    /// As [`begin`](Self::begin), and `slot` is free and the caller's.
    #[inline]
    pub(crate) unsafe fn begin_in(
        &mut self,
        worker: &'static Worker,
        owner: *const crate::task::Header,
        slot: &'static Slot,
        waker: Waker,
        op: &Descriptor,
        parts: Option<Parts>,
    ) {
        let generation = slot.begin(owner, worker, waker);
        match parts {
            None => slot.kind.set(SlotKind::Plain),
            Some(Parts { raw, vtable, file, kind }) => {
                slot.kind.set(kind);
                let keep = Keep { raw, vtable, file };
                // SAFETY: SLOT-1, the submitter's.
                unsafe { (*slot.body.get()).write(SlotBody { keep }) };
                if let Some(file) = file {
                    file.begin_op();
                }
            }
        }
        self.phase = Phase::Begun(SlotRef { slot, generation });
        self.cancelled = false;
        // SAFETY: passed on.
        unsafe { worker.submit(slot, generation, op) };
    }

    /// Begins a timer that ends at `deadline`, in nanoseconds of the loop's clock.
    pub(crate) fn begin_timer(&mut self, cx: &Context<'_>, deadline: u64) -> Result<(), Error> {
        let (worker, task) = place()?;
        let slot = take_slot(worker, task)?;
        let generation = slot.begin(task.0, worker, clone_waker(cx.waker()));
        slot.kind.set(SlotKind::Timer);
        let timer = TimerBody { deadline, back: core::ptr::null(), place: 0 };
        // SAFETY: SLOT-1, the submitter's.
        unsafe { (*slot.body.get()).write(SlotBody { timer }) };
        self.phase = Phase::Begun(SlotRef { slot, generation });
        self.cancelled = false;
        worker.begin_timer(slot, deadline);
        Ok(())
    }

    /// Waits for the operation that was begun.
    #[inline]
    pub(crate) fn poll_end(&mut self, cx: &Context<'_>) -> Poll<Result<Outcome, Error>> {
        let Phase::Begun(SlotRef { slot, generation }) = self.phase else {
            return Poll::Ready(Err(Error::NoTask));
        };
        let (state, now) = slot.observe();
        if !same_generation(now, generation) {
            self.phase = Phase::Idle;
            return Poll::Ready(Err(Error::TaskEnded));
        }
        match state {
            READY => match take_result(slot, generation) {
                Some(mut outcome) => {
                    self.phase = Phase::Idle;
                    outcome.again &= !self.cancelled;
                    Poll::Ready(Ok(outcome))
                }
                None => {
                    self.phase = Phase::Idle;
                    Poll::Ready(Err(Error::TaskEnded))
                }
            },
            IN_FLIGHT => {
                self.wait_again(slot, generation, cx);
                Poll::Pending
            }
            DETACHED => {
                self.phase = Phase::Idle;
                Poll::Ready(Err(Error::Closed))
            }
            _ => {
                self.phase = Phase::Idle;
                Poll::Ready(Err(Error::TaskEnded))
            }
        }
    }

    /// The slot must wake this context; and a cancel that found no room is asked for again.
    #[inline]
    fn wait_again(&mut self, slot: &'static Slot, generation: u32, cx: &Context<'_>) {
        if core::ptr::eq(current::worker(), slot.worker.get()) {
            if !slot.has_waker_like(cx.waker()) {
                let waker = clone_waker(cx.waker());
                drop(slot.put_waker(waker));
            }
        } else {
            drop(slot.alt_waker.put(clone_waker(cx.waker())));
            slot.ask(generation, REQ_WAKER);
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

/// The worker and the task that an operation begins on.
#[inline]
pub(crate) fn place() -> Result<(&'static Worker, TaskRef), Error> {
    let worker = current::get().ok_or(Error::NoTask)?;
    let task = worker.task().ok_or(Error::NoTask)?;
    if !worker.is_open() {
        return Err(Error::Closed);
    }
    Ok((worker, task))
}

/// A free slot of the task: by its bookkeeping, then by looking, then a spare.
#[inline]
fn take_slot(worker: &'static Worker, task: TaskRef) -> Result<&'static Slot, Error> {
    let slots = task.slots();
    let busy = &task.core().busy;
    let index = (!busy.get()).trailing_zeros() as usize;
    if index < slots.len() {
        busy.set(busy.get() | 1 << index);
        debug_assert!(slots[index].is_free());
        return Ok(&slots[index]);
    }
    take_slot_slow(worker, task, slots)
}

#[cold]
fn take_slot_slow(
    worker: &'static Worker,
    task: TaskRef,
    slots: &'static [Slot],
) -> Result<&'static Slot, Error> {
    // Slots that came back through the loop, not through this task.
    slots
        .iter()
        .find(|slot| slot.is_free())
        .or_else(|| worker.take_spare(task))
        .ok_or(Error::SlotsExhausted { task: task.name(), slots: slots.len() as u32 })
}

/// Takes the result out and frees the slot; none when the owner's ending came first.
#[inline]
fn take_result(slot: &'static Slot, generation: u32) -> Option<Outcome> {
    let owner = slot.owner.get();
    let worker = current::get();
    let own = worker.is_some_and(|w| w.task.get() == owner) && !owner.is_null();
    if !own && !slot.claim(generation) {
        return None;
    }
    let (raw, file) = match slot.kind.get() {
        SlotKind::Keep | SlotKind::Multi => {
            // SAFETY: SLOT-1, READY and ours; the kind says that a `Keep` lies there.
            let keep = unsafe { (*slot.body.get()).assume_init_ref().keep };
            (keep.raw, keep.file)
        }
        _ => (RawBuf::NONE, None),
    };
    let again = slot.flags.get() & FLAG_RETRY != 0;
    let outcome = Outcome { result: slot.result.get(), raw, again };
    if own {
        free_own(TaskRef(owner), slot);
    } else {
        give_back(slot, generation);
    }
    if let Some(file) = file {
        file.release();
    }
    Some(outcome)
}

/// HANDLE-2: on the owner's own task.
#[inline]
fn free_own(task: TaskRef, slot: &'static Slot) {
    slot.set_free();
    let base = task.0.addr() + size_of::<crate::task::TaskCore>();
    let index = slot_address(slot).wrapping_sub(base) / size_of::<Slot>();
    if index < 64 {
        let busy = &task.core().busy;
        busy.set(busy.get() & !(1 << index));
    }
}

#[inline]
fn slot_address(slot: &Slot) -> usize {
    core::ptr::from_ref(slot).addr()
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
                free_own(TaskRef(owner), slot);
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
