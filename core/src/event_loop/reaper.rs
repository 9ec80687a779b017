//! Reaping: writing results into slots. It calls nothing foreign; wakes and drops come at dispatch.
//!
//! REAP-1: for a slot that somebody waits for, the order is result, waker out into the batch (BATCH-2), READY; the
//! store of READY is the last access, since the holder may reuse the slot at once. REAP-2: an orphan is
//! only linked; dispatch frees it. REAP-3: the batch has room before a completion is taken.

use super::OpToken;
use crate::exec::{Worker, count};
use crate::op::{Slot, SlotKind};
use core::marker::PhantomData;

/// Which completion of its operation this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// The terminal one, with the operation's result.
    Last,
    /// More will follow.
    More,
    /// The terminal one, with no result of its own: the notification that a buffer is free.
    Notification,
}

/// Takes the completions of one turn, on the worker's own thread.
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// sent::<unboxed_core::event_loop::Reaper<'static>>();
/// ```
#[derive(Debug)]
pub struct Reaper<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) reaped: u32,
    /// The turn's budget.
    pub(crate) most: u32,
    /// A worker is shared between threads, and this is the part that is not.
    pub(crate) not_send: PhantomData<*mut ()>,
}

impl Reaper<'_> {
    /// Whether the loop must stop and keep the rest for its next turn.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.reaped >= self.most || self.worker.batch.is_full()
    }

    /// How many more completions it takes for certain; zero when it is full.
    #[inline]
    pub fn room(&self) -> usize {
        self.worker.batch.room().min(self.most.saturating_sub(self.reaped) as usize)
    }

    /// How many completions this turn has brought.
    pub fn reaped(&self) -> u32 {
        self.reaped
    }

    /// One completion of `token`. A token of an earlier activation is counted and ignored.
    ///
    /// It may call the loop's [`cancel`](super::EventLoop::cancel) and [`close_file`](super::EventLoop::close_file), so the
    /// caller holds no lock or borrow that these take.
    ///
    /// # Panics
    /// When there is no place for another waker, which cannot be while [`is_full`](Self::is_full) is false: ask
    /// before each completion. The operation is lost then, and whoever waits for it is not woken.
    #[inline]
    pub fn complete(&mut self, token: OpToken, result: i32, kind: Completion) {
        self.reaped += 1;
        let Some((slot, word)) = Slot::of_token(token) else {
            return self.stale();
        };
        match kind {
            Completion::More => self.more(slot, result),
            Completion::Last => {
                slot.result.set(result);
                self.worker.finish_slot(slot, word);
            }
            Completion::Notification => self.worker.finish_slot(slot, word),
        }
    }

    #[cold]
    fn stale(&self) {
        count(&self.worker.stats.stale_completions);
    }

    #[cold]
    fn more(&mut self, slot: &'static Slot, result: i32) {
        if slot.kind.get() != SlotKind::Multi {
            // A zero-copy send: the result now, the terminal completion with the notification.
            slot.result.set(result);
            return;
        }
        // SAFETY: SLOT-1; the kind says that a `Keep` lies there.
        let keep = unsafe { (*slot.body.get()).assume_init_ref().keep };
        // SAFETY: KEEP-1; the vtable belongs to these parts.
        let room = unsafe { (keep.vtable.more)(keep.raw, result, keep.file) };
        if let Some(waker) = slot.take_waker() {
            self.worker.batch.push(waker);
        }
        // One that a handle on another thread has just left, and has not seen this result.
        if let Some(waker) = slot.alt_waker.take() {
            self.worker.batch.push(waker);
        }
        if !room {
            self.worker.want_cancel(slot);
        }
    }
}
