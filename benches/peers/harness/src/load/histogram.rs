//! Latencies in buckets whose width grows with their value: 64 to each power of two, so within 1.6 %.

use std::time::Duration;

const FINE: u32 = 6;

/// Counts by nanoseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Vec<u32>,
    count: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { buckets: vec![0; bucket(u64::MAX) + 1], count: 0 }
    }

    pub fn record(&mut self, latency: Duration) {
        self.buckets[bucket(latency.as_nanos() as u64)] += 1;
        self.count += 1;
    }

    /// What another one has counted, too.
    pub fn add(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(ours, theirs)| *ours += theirs);
        self.count += other.count;
    }

    /// In microseconds; zero if nothing was recorded.
    pub fn percentile_us(&self, percent: f64) -> f64 {
        let mut left = (self.count as f64 * percent / 100.0).ceil().max(1.0) as u64;
        for (index, &count) in self.buckets.iter().enumerate() {
            left = left.saturating_sub(u64::from(count));
            if left == 0 {
                return upper(index) as f64 / 1e3;
            }
        }
        0.0
    }
}

fn bucket(ns: u64) -> usize {
    let shift = (u64::BITS - ns.leading_zeros()).saturating_sub(FINE + 1);
    ((shift as usize) << FINE) + (ns >> shift) as usize
}

/// The bucket's largest value.
fn upper(bucket: usize) -> u64 {
    let shift = (bucket >> FINE).saturating_sub(1) as u32;
    let base = (bucket - ((shift as usize) << FINE)) as u64;
    (base << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_in_one_round_is_a_small_part_of_all() {
        let [mut all, mut stalled] = [Histogram::new(), Histogram::new()];
        (0..99).for_each(|_| all.record(Duration::from_micros(1)));
        (0..2).for_each(|_| stalled.record(Duration::from_millis(5)));
        (0..98).for_each(|_| stalled.record(Duration::from_micros(1)));
        assert!(stalled.percentile_us(99.0) >= 5000.0);
        all.add(&stalled);
        assert!(all.percentile_us(98.9) < 2.0);
        assert!(all.percentile_us(99.9) >= 5000.0);
    }

    #[test]
    fn buckets_hold_their_values() {
        for ns in (0..1000).chain([4095, 4096, 4097, 1_000_000, 123_456_789, u64::MAX / 3]) {
            let at = bucket(ns);
            assert!(upper(at) >= ns && (at == 0 || upper(at - 1) < ns), "{ns} in bucket {at}");
            assert!(upper(at) - ns <= ns >> FINE, "{ns} within its share");
        }
    }

    #[test]
    fn percentiles() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.percentile_us(50.0), 0.0);
        (1..=100).for_each(|us| histogram.record(Duration::from_micros(us)));
        for (percent, us) in [(50.0, 50.0), (99.0, 99.0), (100.0, 100.0)] {
            let found = histogram.percentile_us(percent);
            assert!(found >= us && found < us * 1.02, "{percent}: {found}");
        }
    }
}
