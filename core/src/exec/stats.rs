//! What a worker counts. Only its own thread writes; everybody may read.

use crate::atomics::{AtomicCount, Count, Ordering};

/// One count. It is written without a locked instruction, so only by the worker's own thread.
#[derive(Debug, Default)]
pub struct Counter(AtomicCount);

impl Counter {
    const fn new() -> Self {
        Self(AtomicCount::new(0))
    }

    /// The count now, from any thread.
    #[inline]
    pub fn get(&self) -> u64 {
        #[allow(clippy::useless_conversion, reason = "a count has 32 bits on some machines")]
        u64::from(self.0.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn add(&self, more: u32) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(Count::from(more)), Ordering::Relaxed);
    }
}

/// Counters of one worker.
#[derive(Debug, Default)]
pub struct Stats {
    /// Polls of tasks.
    pub polls: Counter,
    /// Operations submitted to the loop or the wheel.
    pub submitted: Counter,
    /// Operations whose future went away first.
    pub orphaned: Counter,
    /// Operations that waited because the loop was full.
    pub starved: Counter,
    /// Spare slots taken.
    pub spares_taken: Counter,
    /// Completions for activations that were gone.
    pub stale_completions: Counter,
    /// Tasks whose body panicked.
    pub panics: Counter,
    /// Tasks taken from other workers.
    pub stolen: Counter,
    /// Times that the ring was full, and half of it went to everybody.
    pub spilled: Counter,
    /// Sleeps.
    pub sleeps: Counter,
}

impl Stats {
    pub(crate) const fn new() -> Self {
        Self {
            polls: Counter::new(),
            submitted: Counter::new(),
            orphaned: Counter::new(),
            starved: Counter::new(),
            spares_taken: Counter::new(),
            stale_completions: Counter::new(),
            panics: Counter::new(),
            stolen: Counter::new(),
            spilled: Counter::new(),
            sleeps: Counter::new(),
        }
    }
}

/// One more.
#[inline]
pub(crate) fn count(counter: &Counter) {
    counter.add(1);
}
