//! How an operation ends for its holder: the result out of the slot, and the slot free. HANDLE-1 and HANDLE-2
//! are in `handle.rs`.

use super::error::Error;
use super::handle::{OpHandle, Outcome, SlotRef, displaced};
use super::keep::RawBuf;
use super::request::REQ_DROP;
use super::slot::Slot;
use super::slot_kind::SlotKind;
use super::word::{DETACHED, IN_FLIGHT, READY, STATE_BITS, pack};
use crate::atomics::Count;
use crate::exec::{FLAG_RETRY, current};
use crate::file::{FileEntry, Held};
use crate::observe::hook;
use crate::task::{TaskRef, clone_waker};
use core::task::{Context, Poll};

impl OpHandle {
    /// The common end of [`poll_end`](Self::poll_end): no error, on the owner's own task. Nothing happens in any
    /// other case.
    #[inline(always)]
    pub(crate) fn take_ready(&mut self) -> Option<(u32, RawBuf)> {
        let SlotRef { slot, generation } = self.slot()?;
        let word = slot.state.look();
        if word != pack(READY, generation) {
            return None;
        }
        // First of all: what another thread's task owns may have another user by now (HANDLE-2).
        let task = own_task(slot)?;
        if slot.flags.get() != 0 {
            return None;
        }
        let result = u32::try_from(slot.result.get()).ok()?;
        self.ended();
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
        let Some(SlotRef { slot, generation }) = self.slot() else {
            return Poll::Ready(Err(Error::NoTask));
        };
        let word = slot.state.look();
        if word == pack(IN_FLIGHT, generation) {
            wait_again(slot, generation, cx);
            return Poll::Pending;
        }
        self.ended();
        if word != pack(READY, generation) {
            let closed = word == pack(DETACHED, generation);
            return Poll::Ready(Err(if closed { Error::Closed } else { Error::TaskEnded }));
        }
        match take_result(slot, word) {
            Some(mut outcome) => {
                outcome.again &= !self.is_cancelled();
                Poll::Ready(Ok(outcome))
            }
            None => Poll::Ready(Err(Error::TaskEnded)),
        }
    }
}

/// The slot must wake this context.
#[inline]
fn wait_again(slot: &'static Slot, generation: Count, cx: &Context<'_>) {
    if core::ptr::eq(current::worker(), slot.worker.get()) {
        if !slot.has_waker_like(cx.waker()) {
            displaced(slot.put_waker(clone_waker(cx.waker())), cx);
        }
    } else {
        slot.leave_waker(generation, cx);
    }
}

/// Takes the result out of a slot whose word is READY, and frees it; none when the owner's ending came first.
fn take_result(slot: &'static Slot, word: Count) -> Option<Outcome> {
    let own = own_task(slot);
    if own.is_none() && !slot.claim(word >> STATE_BITS) {
        return None;
    }
    let again = slot.flags.get() & FLAG_RETRY != 0;
    let result = slot.result.get();
    let raw = match own {
        Some(task) => take_own(slot, word, task),
        None => {
            hook::taken(slot, word >> STATE_BITS);
            let (raw, file, held) = kept(slot);
            give_back(slot, word >> STATE_BITS);
            end_op(file, held);
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
fn take_own(slot: &'static Slot, word: Count, task: TaskRef) -> RawBuf {
    hook::taken(slot, word >> STATE_BITS);
    let (raw, file, held) = kept(slot);
    free_own(task, slot, word);
    end_op(file, held);
    raw
}

/// What lies in a READY slot of the caller's beside the result.
#[inline]
fn kept(slot: &Slot) -> (RawBuf, Option<&'static FileEntry>, Held) {
    match slot.kind.get() {
        SlotKind::Keep | SlotKind::Multi => {
            // SAFETY: SLOT-1, READY and ours; the kind says that a `Keep` lies there.
            let keep = unsafe { (*slot.body.get()).assume_init_ref().keep };
            (keep.raw, keep.file, slot.held.get())
        }
        _ => (RawBuf::NONE, None, Held::Counted),
    }
}

#[inline]
fn end_op(file: Option<&'static FileEntry>, held: Held) {
    if let Some(file) = file {
        file.end_op(held);
    }
}

/// HANDLE-2: on the owner's own task, which saw `word`.
#[inline]
pub(super) fn free_own(task: TaskRef, slot: &'static Slot, word: Count) {
    let index = slot.index();
    slot.set_free_after(word);
    if index < 64 {
        let busy = &task.core().busy;
        busy.set(busy.get() & !(1 << index));
    }
}

/// A claimed slot goes back through its loop's thread, which may have a message of it in its inbox.
#[cold]
fn give_back(slot: &'static Slot, generation: Count) {
    let worker = slot.worker.get();
    if core::ptr::eq(current::worker(), worker) {
        // SAFETY: WORKER-1.
        unsafe { &*worker }.let_go(slot);
    } else {
        slot.ask(generation, REQ_DROP);
    }
}
