//! The state word of a task: every step is one atomic instruction, listed here and nowhere else.
//!
//! | step | instruction | yours when |
//! |---|---|---|
//! | publish | `swap(LIVE \| QUEUED \| CLAIMED \| kind)` | always: the block is claimed and unpublished |
//! | wake | `fetch_or(QUEUED)` | it was LIVE and neither QUEUED nor RUNNING |
//! | abort | `fetch_or(ABORTED \| QUEUED)` | the same test |
//! | start | QUEUED to RUNNING, `fetch_add(RUNNING - QUEUED)` | always: only the owner of the queue place starts |
//! | pending | RUNNING off, `fetch_sub(RUNNING)` | QUEUED came meanwhile: the runner enqueues it |
//! | done | LIVE and RUNNING off, `fetch_sub(LIVE + RUNNING)` | always: the runner |
//! | detach | `fetch_or(DETACHED)` | LIVE was clear: the handle drops the output |
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
//! STATE-5: publish overwrites what a stale waker left; clearing and then waking would enqueue twice.

use crate::atomics::{AtomicU32, Ordering, const_unless_loom};

/// In a queue, or about to be put there by whoever set it.
pub const QUEUED: u32 = 1;
/// Being polled.
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
        self.0.swap(LIVE | QUEUED | CLAIMED | kind, Ordering::AcqRel);
    }

    /// True when the caller owns the queue place and must enqueue.
    #[inline]
    #[must_use]
    pub fn wake(&self) -> bool {
        self.0.fetch_or(QUEUED, Ordering::AcqRel) & (LIVE | QUEUED | RUNNING) == LIVE
    }

    /// True when the caller owns the queue place and must enqueue.
    #[inline]
    #[must_use]
    pub fn abort(&self) -> bool {
        self.0.fetch_or(ABORTED | QUEUED, Ordering::AcqRel) & (LIVE | QUEUED | RUNNING) == LIVE
    }

    /// From the queue to running; returns the word before.
    #[inline]
    pub fn start(&self) -> u32 {
        let before = self.0.fetch_add(RUNNING - QUEUED, Ordering::AcqRel);
        debug_assert_eq!(before & (LIVE | QUEUED | RUNNING), LIVE | QUEUED);
        before
    }

    /// The poll returned pending; true when the runner must enqueue it again.
    #[inline]
    #[must_use]
    pub fn pending(&self) -> bool {
        let before = self.0.fetch_sub(RUNNING, Ordering::AcqRel);
        debug_assert_eq!(before & (LIVE | RUNNING), LIVE | RUNNING);
        before & QUEUED != 0
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
        self.0.swap(0, Ordering::AcqRel);
    }
}

impl Default for StateWord {
    fn default() -> Self {
        Self::new()
    }
}
