//! Going to sleep without losing a wake: a Dekker handshake, at most one doorbell a sleep.
//!
//! The sleeper stores SLEEPING, fences, and looks at its inboxes once more; a poster pushes, fences, and
//! looks at SLEEPING. With both fences sequentially consistent at least one sees the other.
//!
//! PARK-1: store, fence, look on both sides; PARK-2: the poster that takes the flag, and only that one,
//! rings.

use crate::sync::{AtomicBool, Ordering, const_unless_loom, fence};

/// Whether the worker sleeps in its loop.
#[derive(Debug)]
pub struct Parker(AtomicBool);

impl Parker {
    const_unless_loom! {
        /// Awake.
        pub fn new() -> Self { Self(AtomicBool::new(false)) }
    }

    /// The worker is about to sleep; true when `idle` still holds after the announcement. When it does
    /// not, the worker is awake again.
    #[must_use]
    pub fn prepare(&self, idle: impl FnOnce() -> bool) -> bool {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if idle() {
            return true;
        }
        self.awake();
        false
    }

    /// The worker is awake.
    pub fn awake(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// A poster has pushed; true when it must ring the doorbell.
    #[must_use]
    pub fn must_ring(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::AcqRel)
    }
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}
