//! What a worker counts. Owner-only cells; read them between turns.

use core::cell::Cell;

/// Counters of one worker.
#[derive(Debug, Default)]
pub struct Stats {
    /// Polls of tasks.
    pub polls: Cell<u64>,
    /// Operations submitted to the loop or the wheel.
    pub submitted: Cell<u64>,
    /// Operations whose future went away first.
    pub orphaned: Cell<u64>,
    /// Operations that waited because the loop was full.
    pub starved: Cell<u64>,
    /// Spare slots taken.
    pub spares_taken: Cell<u64>,
    /// Completions for activations that were gone.
    pub stale_completions: Cell<u64>,
    /// Tasks whose body panicked.
    pub panics: Cell<u64>,
    /// Tasks taken from other workers.
    pub stolen: Cell<u64>,
    /// Times that the ring was full, and half of it went to everybody.
    pub spilled: Cell<u64>,
    /// Sleeps.
    pub sleeps: Cell<u64>,
}

impl Stats {
    pub(crate) const fn new() -> Self {
        Self {
            polls: Cell::new(0),
            submitted: Cell::new(0),
            orphaned: Cell::new(0),
            starved: Cell::new(0),
            spares_taken: Cell::new(0),
            stale_completions: Cell::new(0),
            panics: Cell::new(0),
            stolen: Cell::new(0),
            spilled: Cell::new(0),
            sleeps: Cell::new(0),
        }
    }
}

/// One more.
#[inline]
pub(crate) fn count(cell: &Cell<u64>) {
    cell.set(cell.get().wrapping_add(1));
}
