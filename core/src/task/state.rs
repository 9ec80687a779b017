//! The state word of a task: every step is one atomic instruction, listed here and nowhere else.
//!
//! | step | instruction | yours when |
//! |---|---|---|
//! | publish | store of `LIVE \| QUEUED \| RUNNING \| CLAIMED \| kind` | always: the block is claimed and unpublished |
//! | wake | `fetch_or(QUEUED \| RUNNING)` | it was LIVE and neither QUEUED nor RUNNING |
//! | abort | `fetch_or(ABORTED \| QUEUED \| RUNNING)` | the same test |
//! | start | QUEUED off, `fetch_sub(QUEUED)` | always: only the owner of the queue place starts |
//! | pending | RUNNING off, `fetch_sub(RUNNING)`; nothing where QUEUED is seen | QUEUED came meanwhile: the runner enqueues it |
//! | done | LIVE and RUNNING off, `fetch_sub(LIVE + RUNNING)` | always: the runner |
//! | detach | `fetch_or(DETACHED)` | LIVE was clear: the handle drops the output |
//! | free | store of zero | always: at zero references only stale wakers look |
//!
//! The runner's steps know the bits that they change, and nobody else changes those: so they are sums, which a
//! processor does in one instruction where a logical step that answers is a loop.
//!
//! STATE-1: zero means free, so a pool of zeroed memory is a pool of free blocks.
//! STATE-2: a wake is unconditional. One that returns early on a plain load loses the release edge of
//! its own writes, and the running poll never sees them.
//! STATE-3: whoever's step won the queue place, and nobody else, reads `home` and writes `next`.
//! STATE-4: abort is one instruction. Setting a flag and then waking loses the abort to a task that
//! starts in between and finds a flag without QUEUED at its next pending.
//! STATE-5: publish overwrites what a stale waker left; clearing and then waking would enqueue twice. It needs no
//! edge from such a waker, which was of another activation: so publish and free are plain stores.
//! STATE-6: RUNNING is set in the queue already, by whoever won the place there. So a runner that sees QUEUED, which
//! nobody but a start takes away, enqueues the task without a step. One that sees it only in its own step, which took
//! RUNNING away, sets it again; until then QUEUED keeps the wakers off. The queue carries the poll's writes to the next
//! runner, the start those of the wakers.

use crate::atomics::{AtomicU32, Ordering, const_unless_loom, overwrite};

/// In a queue, or about to be put there by whoever set it.
pub const QUEUED: u32 = 1;
/// Being polled, or in the queue (STATE-6).
pub const RUNNING: u32 = 1 << 1;
/// Has a body that wants to be polled; the inverse of "done".
pub const LIVE: u32 = 1 << 2;
/// Belongs to an activation, from publish to release.
pub const CLAIMED: u32 = 1 << 3;
/// Its next start drops the body instead of polling it.
pub const ABORTED: u32 = 1 << 4;
/// The join cell holds a waker.
pub const JOIN_WAKER: u32 = 1 << 5;
/// The join handle is gone: the runner drops the output.
pub const DETACHED: u32 = 1 << 6;
/// It ended without an output.
pub const NO_OUTPUT: u32 = 1 << 7;
/// Its body panicked.
pub const PANICKED: u32 = 1 << 8;

/// Its body is gone although it did not end in order: there is nothing left to stop.
pub const BODY_GONE: u32 = 1 << 9;

/// It stays on the worker of its `home`: set by publish, and the same until release.
pub const PINNED: u32 = 1 << 10;

/// Where a task whose queue place was won may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On its home.
    Home,
    /// On any worker of its home's scheduler.
    Any,
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

    /// The block has a body, of a kind that is [`PINNED`] or zero: the caller enqueues it.
    #[inline]
    pub fn publish(&self, kind: u32) {
        debug_assert_eq!(kind & !PINNED, 0);
        overwrite(&self.0, LIVE | QUEUED | RUNNING | CLAIMED | kind);
    }

    /// Where to enqueue, when the caller owns the queue place and must do so.
    #[inline]
    #[must_use]
    pub fn wake(&self) -> Option<Place> {
        place(self.0.fetch_or(QUEUED | RUNNING, Ordering::AcqRel))
    }

    /// Where to enqueue, when the caller owns the queue place and must do so.
    #[inline]
    #[must_use]
    pub fn abort(&self) -> Option<Place> {
        place(self.0.fetch_or(ABORTED | QUEUED | RUNNING, Ordering::AcqRel))
    }

    /// From the queue to running; returns the word before.
    #[inline]
    pub fn start(&self) -> u32 {
        let before = self.0.fetch_sub(QUEUED, Ordering::AcqRel);
        debug_assert_eq!(before & (LIVE | QUEUED | RUNNING), LIVE | QUEUED | RUNNING);
        before
    }

    /// The poll returned pending; true when the runner must enqueue it again.
    #[inline]
    #[must_use]
    pub fn pending(&self) -> bool {
        if self.0.load(Ordering::Relaxed) & QUEUED != 0 {
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

/// The queue place, if the word was that of a task that waits.
#[inline]
fn place(word: u32) -> Option<Place> {
    const PINNED_LIVE: u32 = PINNED | LIVE;
    match word & (LIVE | QUEUED | RUNNING | PINNED) {
        PINNED_LIVE => Some(Place::Home),
        LIVE => Some(Place::Any),
        _ => None,
    }
}
