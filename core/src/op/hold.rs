//! The handshake of R7: a task that ends while the kernel still holds one of its slots.
//!
//! Two parties each set their bit once in an activation of the slot: the ending task sets PINNED, the
//! one who learns that the kernel has let go sets FREED. Whoever comes second knows of the first, so the
//! reference that the task added for the slot is given back exactly once.
//!
//! HOLD-1: both steps are `fetch_or`, so the word only grows within an activation; a second ending (the
//! block was released and reused while the loop had not yet stored FREE) still finds FREED and counts
//! its reference as excess. With `swap` that second ending would find the first one's PINNED and pin
//! its block for ever.
//! HOLD-2: the loop sets FREED *before* it stores FREE in the state word, its last access; a submitter
//! resets the word after it has seen FREE, so FREED never lands in the next activation.
//! HOLD-3: an ending that finds FREED waits for FREE, which is the next thing that the other thread stores: the
//! block's next task takes its slots by the bits of `busy`, without a look at them.

use crate::atomics::{AtomicU8, Ordering, const_unless_loom};

const PINNED: u8 = 1;
const FREED: u8 = 2;

/// One slot's part in its task's ending.
#[derive(Debug)]
pub struct Hold(AtomicU8);

impl Hold {
    const_unless_loom! {
        /// Nobody has come yet.
        pub fn new() -> Self { Self(AtomicU8::new(0)) }
    }

    /// The submitter begins a new activation (HOLD-2).
    #[inline]
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// The ending task: true when the slot was let go before, so that its reference is excess.
    #[inline]
    #[must_use]
    pub fn pin(&self) -> bool {
        self.0.fetch_or(PINNED, Ordering::AcqRel) & FREED != 0
    }

    /// The slot is let go: true when its task has pinned itself, so that one reference goes back.
    #[inline]
    #[must_use]
    pub fn let_go(&self) -> bool {
        self.0.fetch_or(FREED, Ordering::AcqRel) & PINNED != 0
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self::new()
    }
}
