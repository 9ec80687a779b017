//! A histogram that its owner writes, and everybody may read.

use super::histogram::{BUCKETS, Histogram, bucket_of};
use crate::atomics::{AtomicCount, Ordering};
use crate::exec::{Counter, count};

#[derive(Debug)]
pub(crate) struct Buckets {
    counts: [Counter; BUCKETS],
    sum: AtomicCount,
    max: AtomicCount,
}

impl Buckets {
    pub const fn new() -> Self {
        Self {
            counts: [const { Counter::new() }; BUCKETS],
            sum: AtomicCount::new(0),
            max: AtomicCount::new(0),
        }
    }

    /// One more value; the owner's.
    #[inline]
    pub fn record(&self, value: u64) {
        count(&self.counts[bucket_of(value)]);
        self.sum.store(self.sum.load(Ordering::Relaxed).saturating_add(value), Ordering::Relaxed);
        if value > self.max.load(Ordering::Relaxed) {
            self.max.store(value, Ordering::Relaxed);
        }
    }

    /// A copy; values that come meanwhile are in it or not.
    pub fn read(&self, into: &mut Histogram) {
        into.counts.iter_mut().zip(&self.counts).for_each(|(to, from)| *to = from.get());
        into.sum = self.sum.load(Ordering::Relaxed);
        into.max = self.max.load(Ordering::Relaxed);
    }
}
