//! A histogram of fixed size: eight equal buckets in every power of two, from 1 to 2^40.
//!
//! Below 8 every value has a bucket of its own; above, a bucket is at most an eighth as wide as its values are large. What
//! is larger than 2^40 - 1 (18 minutes, in nanoseconds) is in the last one.

use core::fmt;

const SUB_BITS: u32 = 3;
const SUBS: usize = 1 << SUB_BITS;
const VALUE_BITS: u32 = 40;

/// How many buckets there are.
pub const BUCKETS: usize = SUBS + (VALUE_BITS - SUB_BITS) as usize * SUBS;

/// Which bucket a value is in.
#[inline]
pub(super) fn bucket_of(value: u64) -> usize {
    let value = value.min((1 << VALUE_BITS) - 1);
    if value < SUBS as u64 {
        return value as usize;
    }
    let shift = value.ilog2() - SUB_BITS;
    SUBS * shift as usize + (value >> shift) as usize
}

/// The largest value of a bucket.
const fn top_of(bucket: usize) -> u64 {
    if bucket < SUBS {
        return bucket as u64;
    }
    let shift = bucket / SUBS - 1;
    let first = (SUBS + bucket % SUBS) as u64;
    ((first + 1) << shift) - 1
}

/// Values by size, in 304 buckets. Plain memory of one owner; see the module for how exact it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Histogram {
    pub(super) counts: [u64; BUCKETS],
    pub(super) sum: u64,
    pub(super) max: u64,
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram({self})")
    }
}

/// A line: how many values, the usual percentiles, the largest.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, p999] = [50.0, 90.0, 99.0, 99.9].map(|p| self.percentile(p));
        write!(f, "{} values, p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p999}, most {}", self.count(), self.max)
    }
}

impl Histogram {
    /// Empty.
    pub const fn new() -> Self {
        Self { counts: [0; BUCKETS], sum: 0, max: 0 }
    }

    /// One more value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.counts[bucket_of(value)] += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    /// All of another one's values too.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(to, from)| *to += from);
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The largest value, exactly.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The mean, exactly but for its rounding; 0 of none.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count()).unwrap_or(0)
    }

    /// A value that at least so many of a hundred do not exceed: the upper end of their last bucket, at most an eighth above
    /// the exact answer and never below it. 0 of none.
    pub fn percentile(&self, percent: f64) -> u64 {
        let count = self.count();
        if count == 0 {
            return 0;
        }
        let exact = count as f64 * (percent / 100.0);
        let below = exact as u64;
        let wanted = (below + u64::from(below as f64 != exact)).clamp(1, count);
        let mut seen = 0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return top_of(bucket).min(self.max);
            }
        }
        self.max
    }

    /// The buckets that hold something: the largest value of each, and how many.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let all = self.counts.iter().enumerate();
        all.filter(|(_, count)| **count > 0).map(|(bucket, &count)| (top_of(bucket), count))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut expected = 0;
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(expected), bucket);
            assert_eq!(bucket_of(top_of(bucket)), bucket);
            expected = top_of(bucket) + 1;
        }
        assert_eq!(expected, 1 << VALUE_BITS);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_never_too_low_and_an_eighth_too_high_at_most() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut values: Vec<u64> = (0..5000)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) >> (random % 31)
            })
            .collect();
        let mut histogram = Histogram::new();
        values.iter().for_each(|value| histogram.record(*value));
        values.sort_unstable();
        for percent in [0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0] {
            let rank = (values.len() as f64 * percent / 100.0).ceil().max(1.0) as usize;
            let exact = values[rank - 1];
            let told = histogram.percentile(percent);
            assert!((exact..=exact + exact / 8).contains(&told), "{percent}: {exact}, told {told}");
        }
        assert_eq!(histogram.count(), 5000);
        assert_eq!(histogram.max(), *values.last().unwrap());
        assert_eq!(histogram.mean(), values.iter().sum::<u64>() / 5000);
        assert_eq!(histogram.buckets().map(|(_, count)| count).sum::<u64>(), 5000);
    }

    #[test]
    fn of_nothing_everything_is_zero() {
        let empty = Histogram::new();
        assert_eq!((empty.percentile(99.0), empty.mean(), empty.max(), empty.count()), (0, 0, 0, 0));
    }

    #[test]
    fn two_add_up_to_what_one_would_have_counted() {
        let (mut a, mut b, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
        for value in [0, 7, 8, 1 << 20, u64::MAX] {
            a.record(value);
            b.record(value / 3);
            both.record(value);
            both.record(value / 3);
        }
        a.add(&b);
        assert_eq!(a, both);
    }
}
