//! The end of an operation: terminal completions, orphans, and messages from other threads.

use super::stats::count;
use super::worker::Worker;
use crate::ahead;
use crate::atomics::Count;
use crate::op::{
    FREE, IN_FLIGHT, Queued, READY, REQ_CANCEL, REQ_DROP, REQ_WAKER, Slot, SlotKind, TAKING, low_generation,
};
use crate::task;

/// What a cancelled operation ends with: the system's ECANCELED.
pub(crate) const CANCELED: i32 = -125;
/// `flags` of a slot that has not been submitted: its holder encodes it again.
pub(crate) const FLAG_RETRY: u8 = 1;

impl Worker {
    /// The terminal completion of a slot whose result is written, and whose state word is `word` (REAP-1).
    #[inline]
    pub(crate) fn finish_slot(&self, slot: &'static Slot, word: Count) {
        self.op_completed(slot);
        let Some(waker) = slot.take_holders_waker() else {
            return self.finish_unawaited(slot, word);
        };
        self.in_flight.set(self.in_flight.get() - 1);
        self.batch.push(waker);
        if slot.kind.get() == SlotKind::Keep {
            // SAFETY: SLOT-1; the kind says that a `Keep` lies there.
            let file = unsafe { (*slot.body.get()).assume_init_ref().keep }.file;
            ahead::fetch(file.map_or(core::ptr::null(), core::ptr::from_ref));
        }
        slot.set_ready(word);
    }

    /// The same for one that ends on this side of the loop, or on the wheel.
    #[inline]
    pub(crate) fn finish_here(&self, slot: &'static Slot) {
        self.finish_slot(slot, slot.word());
    }

    /// The same for one whose holder is gone (REAP-2), or waits elsewhere.
    #[cold]
    fn finish_unawaited(&self, slot: &'static Slot, word: Count) {
        self.in_flight.set(self.in_flight.get() - 1);
        if slot.is_orphan() {
            if slot.queued.get() == Queued::Cancel {
                slot.queued.set(Queued::CancelDone);
            } else {
                self.orphans.push(slot);
            }
            return;
        }
        slot.set_ready(word);
    }

    /// The holder of an operation in flight has gone; on this worker's thread. The caller drops the
    /// waker that comes back.
    #[must_use]
    pub(crate) fn orphan(&self, slot: &'static Slot) -> Option<core::task::Waker> {
        if slot.is_orphan() {
            return None;
        }
        let waker = slot.take_waker();
        self.orphan_with_waker(slot);
        waker
    }

    /// The same for an operation whose task or runtime ends: its handle may live on elsewhere, so whoever
    /// waits there is woken at the terminal completion.
    pub(crate) fn orphan_with_waker(&self, slot: &'static Slot) {
        if slot.set_orphan() {
            count(&self.stats.orphaned);
            self.op_orphaned(slot);
            self.want_cancel(slot);
        }
    }

    /// Ends a timer in flight whose holder has gone, without the way through dispatch: it keeps nothing. The
    /// slot is the caller's to free.
    #[must_use]
    pub(crate) fn drop_timer(&self, slot: &'static Slot) -> Option<core::task::Waker> {
        count(&self.stats.orphaned);
        self.op_orphaned(slot);
        self.op_completed(slot);
        self.wheel.remove(slot);
        self.in_flight.set(self.in_flight.get() - 1);
        slot.take_waker()
    }

    /// Asks the loop, or the wheel, to end an operation in flight. For one with a holder that the loop
    /// has no room to cancel, answers false.
    pub(crate) fn want_cancel(&self, slot: &'static Slot) -> bool {
        self.op_cancelled(slot);
        match (slot.kind.get(), slot.queued.get()) {
            (SlotKind::Timer, _) => {
                self.wheel.remove(slot);
                slot.result.set(CANCELED);
                if slot.is_orphan() || !self.batch.is_full() {
                    self.finish_here(slot);
                    return true;
                }
                self.wheel.insert(slot, 0);
                true
            }
            (_, Queued::Submit) => {
                slot.queued.set(Queued::SubmitCancelled);
                true
            }
            (_, Queued::SubmitCancelled | Queued::Cancel | Queued::CancelDone) => true,
            (_, Queued::No) => {
                let generation = slot.observe().1;
                if self.event_loop().cancel(slot.token(generation)).is_ok() {
                    return true;
                }
                if slot.is_orphan() {
                    slot.queued.set(Queued::Cancel);
                    self.full.push(slot);
                    return true;
                }
                false
            }
        }
    }

    /// Offers again what a full loop refused, after a turn.
    #[cold]
    pub(crate) fn retry_full(&self) {
        let waiting = self.full.take();
        while let Some(slot) = waiting.pop() {
            if self.batch.is_full() {
                self.full.push(slot);
                continue;
            }
            match slot.queued.replace(Queued::No) {
                Queued::Submit => {
                    slot.flags.set(FLAG_RETRY);
                    slot.result.set(CANCELED);
                    self.finish_here(slot);
                }
                Queued::SubmitCancelled => {
                    slot.result.set(CANCELED);
                    self.finish_here(slot);
                }
                Queued::Cancel => {
                    self.want_cancel(slot);
                }
                Queued::CancelDone => self.orphans.push(slot),
                Queued::No => {}
            }
        }
    }

    /// Ends one orphan: what it kept is used up, the slot is free, its task may be released.
    pub(crate) fn discard(&self, slot: &'static Slot) {
        if matches!(slot.kind.get(), SlotKind::Keep | SlotKind::Multi) {
            // SAFETY: SLOT-1, the kind says that a `Keep` lies there.
            let keep = unsafe { (*slot.body.get()).assume_init_ref().keep };
            slot.kind.set(SlotKind::Plain);
            // SAFETY: KEEP-1.
            unsafe { (keep.vtable.discard)(keep.raw, slot.result.get(), keep.file) };
            if let Some(file) = keep.file {
                file.end_op_unseen(slot.held.get());
            }
        }
        self.let_go(slot);
    }

    /// Frees a slot that no holder on its own task frees (HOLD-2).
    pub(crate) fn let_go(&self, slot: &'static Slot) {
        let waiting = slot.alt_waker.take();
        let owner = slot.owner.get();
        let pinned = slot.hold.let_go();
        if pinned && self.is_spare(slot) {
            slot.owner.set(core::ptr::null());
        }
        slot.set_free();
        if pinned {
            task::unref(task::TaskRef(owner));
        }
        // The handle may wait on another thread: it learns that the activation is gone.
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// Messages that holders on other threads left.
    #[cold]
    pub(crate) fn take_posts(&self) {
        for slot in self.posts.take_all() {
            count(&self.stats.messages);
            // SAFETY: SLOT-3.
            self.take_post(unsafe { &*slot });
        }
    }

    pub(crate) fn take_post(&self, slot: &'static Slot) {
        let (bits, asked_of) = slot.requests.take();
        let Some((state, generation)) = self.still_asked(slot, bits, asked_of) else { return };
        if bits & REQ_DROP != 0 {
            match state {
                // Whoever waits for it elsewhere is woken at its end.
                IN_FLIGHT => self.orphan_with_waker(slot),
                READY if slot.claim(generation) => self.discard(slot),
                TAKING => self.let_go(slot),
                _ => {}
            }
        }
        if bits & REQ_WAKER != 0
            && let Some(waker) = slot.alt_waker.take()
        {
            // One place for a waker: whoever waited there looks again.
            let looks = match slot.is_in_flight(generation) {
                true if slot.has_waker_like(&waker) => None,
                true => slot.put_waker(waker),
                false => Some(waker),
            };
            if let Some(waker) = looks {
                waker.wake();
            }
        }
        if bits & (REQ_CANCEL | REQ_DROP) == REQ_CANCEL
            && state == IN_FLIGHT
            && !slot.is_orphan()
            && !self.want_cancel(slot)
        {
            // No room: the message comes again after the next turn of the loop.
            slot.ask(generation, REQ_CANCEL);
        }
    }

    /// State and generation of the activation that requests are for, if it goes on, and is this worker's (REQUEST-3).
    fn still_asked(&self, slot: &'static Slot, bits: u32, asked_of: u32) -> Option<(u32, Count)> {
        let (state, generation) = slot.observe();
        if asked_of != low_generation(generation) || state == FREE {
            slot.wake_alt();
            return None;
        }
        if !core::ptr::eq(slot.worker.get(), self) {
            slot.ask(generation, bits);
            return None;
        }
        Some((state, generation))
    }

    /// A message to a worker whose inbox is closed; on any thread. What is still in flight there is, or is
    /// about to be, detached, and stays the system's.
    #[cold]
    pub(crate) fn take_late_post(&self, slot: &'static Slot) {
        let (bits, asked_of) = slot.requests.take();
        let Some((state, generation)) = self.still_asked(slot, bits, asked_of) else { return };
        if bits & REQ_DROP != 0 {
            match state {
                READY if slot.claim(generation) => self.discard(slot),
                TAKING => self.let_go(slot),
                _ => {}
            }
        }
        slot.wake_alt();
    }
}
