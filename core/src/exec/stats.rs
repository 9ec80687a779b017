//! What a worker counts, and what is counted for it. Everybody may read.

use crate::atomics::{AtomicCount, AtomicU32, Count, Ordering};

/// One count. Its owner writes without a locked instruction, so each has one writer, or is of those that
/// everybody adds to with one.
#[derive(Debug, Default)]
pub struct Counter(AtomicCount);

impl Counter {
    pub(crate) const fn new() -> Self {
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

    /// One more, of a count that its owner does not add to.
    pub(crate) fn add_from_anywhere(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A number of the owner's that everybody may read.
#[derive(Debug)]
pub(crate) struct Gauge(AtomicU32);

impl Gauge {
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    #[inline]
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// The owner's.
    #[inline]
    pub fn set(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
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
    /// Sleeps that it announced; some end before they begin, since there is something to do after all.
    pub sleeps: Counter,
    /// Tasks and slots that others left in its inboxes.
    pub messages: Counter,
    /// Times that another thread rang its doorbell: at most once a sleep, and never while it is awake. The other
    /// [`messages`](Self::messages) needed none.
    pub doorbells: Counter,
    /// Times that another worker, or a thread that spawned, woke it to look for work. Not among the
    /// [`doorbells`](Self::doorbells), which are for messages.
    pub calls: Counter,
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
            messages: Counter::new(),
            doorbells: Counter::new(),
            calls: Counter::new(),
        }
    }
}

/// One more.
#[inline]
pub(crate) fn count(counter: &Counter) {
    counter.add(1);
}
