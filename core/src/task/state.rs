//! The state word of a task: every step is one atomic instruction, listed here and nowhere else.
//!
//! | step | instruction | yours when |
//! |---|---|---|
//! | publish | store of `LIVE \| RUNNING \| CLAIMED \| kind`, and DETACHED for a task without a join handle | always: the block is claimed and unpublished |
//! | wake | RUNNING on where it waits, else QUEUED and RUNNING on: a compare-and-swap | it was LIVE and neither QUEUED nor RUNNING |
//! | abort | `fetch_or(ABORTED \| QUEUED \| RUNNING)` | the same test |
//! | start | QUEUED off, `fetch_sub(QUEUED)`; nothing where QUEUED is not seen | always: only the owner of the queue place starts |
//! | pending | RUNNING off, `fetch_sub(RUNNING)`; nothing where QUEUED is seen; may be put off (STATE-8) | QUEUED came meanwhile: the runner enqueues it |
//! | done | LIVE and RUNNING off, `fetch_sub(LIVE + RUNNING)` | always: the runner |
//! | detach | `fetch_or(DETACHED)` | LIVE was clear: the handle drops the output, and gives the reference back (JOIN-1) |
//! | free | store of zero | always: at zero references only stale wakers look |
//!
//! The runner's steps know the bits that they change, and nobody else changes those: so they are sums, which a
//! processor does in one instruction where a logical step that answers is a loop.
//!
//! STATE-1: zero means free, so a pool of zeroed memory is a pool of free blocks.
//! STATE-2: a wake is always a read-modify-write, also where it changes nothing. One that returns early on a plain load
//! loses the release edge of its own writes, and the running poll never sees them. The one exception is STATE-8's.
//! STATE-3: whoever's step won the queue place, and nobody else, writes `next` and goes by what `home` says. Of a pinned
//! task that never changes, so anyone may compare it.
//! STATE-4: abort is one instruction. Setting a flag and then waking loses the abort to a task that
//! starts in between and finds a flag without QUEUED at its next pending.
//! STATE-5: publish overwrites what a stale waker left; clearing and then waking would enqueue twice. It needs no
//! edge from such a waker, which was of another activation: so publish and free are plain stores.
//! STATE-6: RUNNING is set in the queue already, by whoever won the place there. So a runner that sees QUEUED, which
//! nobody but a start takes away, enqueues the task without a step. One that sees it only in its own step, which took
//! RUNNING away, sets it again; until then QUEUED keeps the wakers off. The queue carries the poll's writes to the next
//! runner, the start those of the wakers.
//! STATE-7: a task that was published, or that waited and was woken, is RUNNING in its queue, without QUEUED. So its start
//! takes no step, unless somebody has woken or aborted it meanwhile; whoever comes behind that look sets QUEUED, which the
//! poll's pending sees. The look reads what the step of whoever won the place wrote, or a later one: that is its edge.
//! STATE-8: a runner may put pending off. Until it is made up for the task is RUNNING and in no queue, still the runner's:
//! others set QUEUED and leave the place to it, as during a poll, and the pending sees that. The runner's thread may
//! put the task into a queue instead, without a step: what it wrote before is before the start in its own order.

use crate::atomics::{AtomicU32, Ordering, const_unless_loom, overwrite};

/// Where it may run, and in which lane: set by publish, and the same until release. Zero is any worker's, in the
/// normal lane; from [`BACKGROUND_PINNED`] on it stays on the worker of its `home`.
pub const KIND: u32 = 0b111;
/// In the background lane, on any worker.
pub const BACKGROUND: u32 = 1;
/// In the background lane of its home.
pub const BACKGROUND_PINNED: u32 = 2;
/// In the urgent lane of its home.
pub const URGENT: u32 = 3;
/// In the normal lane of its home. The largest kind, so that one look at the word tells (see `place`).
pub const PINNED: u32 = 4;

/// Has a body that wants to be polled; the inverse of "done".
pub const LIVE: u32 = 1 << 3;
/// Woken or aborted while it was RUNNING, or aborted while it waited: in a queue, or about to be put there by whoever set
/// this or runs it.
pub const QUEUED: u32 = 1 << 4;
/// Being polled, or in the queue (STATE-6).
pub const RUNNING: u32 = 1 << 5;
/// Belongs to an activation, from publish to release.
pub const CLAIMED: u32 = 1 << 6;
/// Its next start drops the body instead of polling it.
pub const ABORTED: u32 = 1 << 7;
/// The join cell holds a waker.
pub const JOIN_WAKER: u32 = 1 << 8;
/// There is no join handle, or none any more: the runner drops the output.
pub const DETACHED: u32 = 1 << 9;
/// It ended without an output.
pub const NO_OUTPUT: u32 = 1 << 10;
/// Its body panicked.
pub const PANICKED: u32 = 1 << 11;
/// Its body is gone although it did not end in order: there is nothing left to stop.
pub const BODY_GONE: u32 = 1 << 12;
/// Its handle has gone elsewhere after it had left a waker near (JOIN-4).
pub const JOIN_FAR: u32 = 1 << 13;

/// Whether a task of this word, or of this kind, stays on its home.
#[inline]
pub const fn is_pinned(word: u32) -> bool {
    word & KIND >= BACKGROUND_PINNED
}

/// The kind of a task that stays on its home, in the lane of `kind`.
#[inline]
pub const fn pinned(kind: u32) -> u32 {
    match kind {
        0 => PINNED,
        BACKGROUND => BACKGROUND_PINNED,
        _ => kind,
    }
}

/// Where a task whose queue place was won may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On its home.
    Home,
    /// On any worker of its home's scheduler.
    Any,
    /// Where its lane says: it is not in the normal one.
    Lane,
}

/// See the module's table.
#[derive(Debug)]
pub struct StateWord(AtomicU32);

impl StateWord {
    const_unless_loom! {
        /// A free task.
        pub fn new() -> Self { Self(AtomicU32::new(0)) }
    }

    /// The word as it is now; decides nothing about queue places.
    #[inline]
    pub fn load(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// The block has a body, of this [`KIND`], and [`DETACHED`] if there is no join handle: the caller enqueues it.
    #[inline]
    pub fn publish(&self, kind: u32) {
        debug_assert!(kind & !DETACHED <= PINNED);
        overwrite(&self.0, LIVE | RUNNING | CLAIMED | kind);
    }

    /// Where to enqueue, when the caller owns the queue place and must do so.
    #[inline]
    #[must_use]
    pub fn wake(&self) -> Option<Place> {
        // An `or` that answers is such a loop on most machines.
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let waits = now & (LIVE | QUEUED | RUNNING) == LIVE;
            let next = if waits { now | RUNNING } else { now | QUEUED | RUNNING };
            // STATE-2: also where nothing changes.
            match self.0.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return place(now),
                Err(seen) => now = seen,
            }
        }
    }

    /// Where to enqueue, when the caller owns the queue place and must do so.
    #[inline]
    #[must_use]
    pub fn abort(&self) -> Option<Place> {
        place(self.0.fetch_or(ABORTED | QUEUED | RUNNING, Ordering::AcqRel))
    }

    /// From the queue to running; returns the word before. It was a step if QUEUED is in there (STATE-7).
    #[inline]
    pub fn start(&self) -> u32 {
        let mut before = self.0.load(Ordering::Acquire);
        if before & QUEUED != 0 {
            before = self.0.fetch_sub(QUEUED, Ordering::AcqRel);
        }
        debug_assert_eq!(before & (LIVE | RUNNING), LIVE | RUNNING);
        before
    }

    /// The runner's look whether somebody has woken or aborted the task since its start.
    #[inline]
    pub fn is_woken(&self) -> bool {
        self.0.load(Ordering::Relaxed) & QUEUED != 0
    }

    /// The poll returned pending; true when the runner must enqueue it again.
    #[inline]
    #[must_use]
    pub fn pending(&self) -> bool {
        if self.is_woken() {
            return true;
        }
        let before = self.0.fetch_sub(RUNNING, Ordering::AcqRel);
        debug_assert_eq!(before & (LIVE | RUNNING), LIVE | RUNNING);
        let again = before & QUEUED != 0;
        if again {
            self.0.fetch_or(RUNNING, Ordering::AcqRel);
        }
        again
    }

    /// The runner's note of an ending without output, before `done`.
    #[inline]
    pub fn mark(&self, bits: u32) {
        debug_assert_eq!(bits & !(NO_OUTPUT | PANICKED | ABORTED | QUEUED | BODY_GONE), 0);
        self.0.fetch_or(bits, Ordering::AcqRel);
    }

    /// The body has ended and its output is written; returns the word before.
    #[inline]
    pub fn done(&self) -> u32 {
        let before = self.0.fetch_sub(LIVE + RUNNING, Ordering::AcqRel);
        debug_assert_eq!(before & (LIVE | RUNNING), LIVE | RUNNING);
        before
    }

    /// The join handle goes; returns the word before.
    #[inline]
    pub fn detach(&self) -> u32 {
        self.0.fetch_or(DETACHED, Ordering::AcqRel)
    }

    /// The join handle has filled the join cell. False when the task was done first: the runner will
    /// not look, and the cell stays the handle's.
    #[inline]
    #[must_use]
    pub fn set_join_waker(&self) -> bool {
        self.join_step(|s| s | JOIN_WAKER)
    }

    /// The same for a cell that was filled without a step (JOIN-4).
    #[inline]
    #[must_use]
    pub fn set_join_far(&self) -> bool {
        self.join_step(|s| s | JOIN_WAKER | JOIN_FAR)
    }

    /// The join handle wants the cell back to change the waker. False when the task was done first.
    #[inline]
    #[must_use]
    pub fn clear_join_waker(&self) -> bool {
        self.join_step(|s| s & !JOIN_WAKER)
    }

    fn join_step(&self, next: impl Fn(u32) -> u32) -> bool {
        let mut now = self.0.load(Ordering::Acquire);
        while now & LIVE != 0 {
            match self.0.compare_exchange_weak(now, next(now), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(seen) => now = seen,
            }
        }
        false
    }

    /// Free again; the last word of an activation.
    #[inline]
    pub fn free(&self) {
        overwrite(&self.0, 0);
    }
}

impl Default for StateWord {
    fn default() -> Self {
        Self::new()
    }
}

/// The queue place, if the word was that of a task that waits. The order of the bits lets one comparison part the
/// tasks that are queued or running from the others, so lanes cost the normal one nothing here.
#[inline]
fn place(word: u32) -> Option<Place> {
    const HOME: u32 = PINNED | LIVE;
    let seen = word & (KIND | LIVE | QUEUED | RUNNING);
    if seen == HOME {
        Some(Place::Home)
    } else if seen > HOME {
        None
    } else if seen == LIVE {
        Some(Place::Any)
    } else if seen > LIVE {
        Some(Place::Lane)
    } else {
        None
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// `place` against what it means, for every word that its bits can be.
    #[test]
    fn a_queue_place_is_won_by_whoever_wakes_a_live_task_that_waits() {
        for word in 0..CLAIMED {
            let kind = word & KIND;
            if kind > PINNED {
                continue;
            }
            let waits = word & (LIVE | QUEUED | RUNNING) == LIVE;
            let wanted = match kind {
                PINNED => Place::Home,
                0 => Place::Any,
                _ => Place::Lane,
            };
            for beside in [0, CLAIMED, CLAIMED | ABORTED | JOIN_WAKER | DETACHED] {
                assert_eq!(place(word | beside), waits.then_some(wanted), "{word:#b}");
            }
            assert_eq!(is_pinned(word), matches!(kind, PINNED | URGENT | BACKGROUND_PINNED));
            assert!(is_pinned(pinned(kind)));
        }
    }
}
