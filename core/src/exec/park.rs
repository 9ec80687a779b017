//! Going to sleep without losing a wake: a Dekker handshake, at most one doorbell a sleep.
//!
//! The sleeper stores SLEEPING, fences, and looks at its inboxes once more; a poster pushes, fences, and
//! looks at SLEEPING. With both fences sequentially consistent at least one sees the other.
//!
//! PARK-1: store, fence, look on both sides; PARK-2: the poster that takes the flag, and only that one,
//! rings; PARK-3: the flag alternates: only the sleeper sets it, once it was taken, and it is taken by one
//! read-modify-write, a poster's or the sleeper's own.
//!
//! So a poster that finds the flag down after a sleeper's fence finds it taken in this sleep, by one that
//! will ring. That ring cannot be heard before the announcement that it belongs to, but it may come late,
//! in a later sleep or a turn without one: a bell wakes and means nothing else, and whoever swallows bells
//! does so before the announcement or leaves the sleep. No order but the fences' is needed, as the inbox
//! publishes its nodes itself.
//!
//! PARK-4: who wants a sleeper to look for work, and not to take a message, leaves that word in the flag; the
//! sleeper finds it there when it wakes, whatever woke it, and nobody else takes it away. So a search that was
//! counted for a sleeper before it was called is always the sleeper's to end.
//!
//! The sleeper could take its flag by a plain store, since nothing comes between a read-modify-write and
//! what it read. Loom does not know that about stores on another thread, and then reports lost wakes and
//! second rings that cannot be; PARK-3 costs nothing when a bell woke the sleeper, and can be checked.

use crate::atomics::{AtomicU8, Ordering, const_unless_loom, fence};

const AWAKE: u8 = 0;
const SLEEPING: u8 = 1;
/// A bell is on its way, and work with it.
const CALLED: u8 = 2;

/// Whether the worker sleeps in its loop.
#[derive(Debug)]
pub struct Parker(AtomicU8);

impl Parker {
    const_unless_loom! {
        /// Awake.
        pub fn new() -> Self { Self(AtomicU8::new(AWAKE)) }
    }

    /// The worker is about to sleep; true when `idle` still holds after the announcement. When it does
    /// not, the caller says that it is [`awake`](Self::awake) again.
    #[must_use]
    pub fn prepare(&self, idle: impl FnOnce() -> bool) -> bool {
        self.0.store(SLEEPING, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        idle()
    }

    /// The worker is awake; true when it was called to look for work (PARK-4).
    pub fn awake(&self) -> bool {
        !self.step(SLEEPING, AWAKE) && self.step(CALLED, AWAKE)
    }

    /// A poster has pushed; true when it must ring the doorbell.
    #[must_use]
    pub fn must_ring(&self) -> bool {
        fence(Ordering::SeqCst);
        self.step(SLEEPING, AWAKE)
    }

    /// Calls a sleeper to look for work, by one who has looked after a fence of its own; true when it must
    /// ring the doorbell.
    #[must_use]
    pub fn call(&self) -> bool {
        self.step(SLEEPING, CALLED)
    }

    /// Whether it sleeps, and nobody has called it.
    pub fn is_sleeping(&self) -> bool {
        self.0.load(Ordering::Relaxed) == SLEEPING
    }

    /// True for one caller an announcement (PARK-3).
    fn step(&self, from: u8, to: u8) -> bool {
        self.0.load(Ordering::Relaxed) == from
            && self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}
