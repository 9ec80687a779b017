//! Samples, and what is said of them.

use crate::load::Histogram;
use std::collections::BTreeMap;

/// One round's metrics by name.
pub type Sample = BTreeMap<&'static str, f64>;

/// One row of one peer.
#[derive(Debug, Default, Clone)]
pub struct Cell {
    pub samples: Vec<Sample>,
    /// Of the run that counts allocations and system calls.
    pub counted: Sample,
    /// Of all rounds together, for a server.
    pub latencies: Option<Histogram>,
    /// Why it did not run.
    pub failed: Option<String>,
}

/// The middle of some values, the least and the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

impl Cell {
    /// The spread of a metric over the rounds. A percentile's figure is that of all rounds' requests together: a stall of
    /// the machine is a large part of the round that it falls into.
    pub fn spread(&self, key: &str) -> Option<Spread> {
        let rounds = Spread::of(self.samples.iter().filter_map(|sample| sample.get(key).copied()).collect());
        let all = self.latencies.as_ref().and_then(|all| Some(all.percentile_us(percent(key)?)));
        rounds.map(|rounds| Spread { median: all.unwrap_or(rounds.median), ..rounds })
    }

    /// A metric's median over the rounds; or, of the counting run, its value.
    pub fn value(&self, key: &str) -> Option<f64> {
        self.spread(key).map(|spread| spread.median).or_else(|| self.counted.get(key).copied())
    }

    /// The mean of a share that the kernel samples by its tick; `None` where too few ticks fell into all rounds together.
    pub fn ticked(&self, key: &str) -> Option<f64> {
        /// A hundred ticks: a standard error of five points of a hundred at most.
        const LEAST_S: f64 = 1.0;
        let all = |key| self.samples.iter().filter_map(move |sample: &Sample| sample.get(key).copied());
        let enough = all("cpu_s").sum::<f64>() >= LEAST_S;
        (enough && all(key).count() > 0).then(|| all(key).sum::<f64>() / all(key).count() as f64)
    }
}

/// The percentiles that samples have.
pub const PERCENTILES: [(&str, f64); 4] =
    [("p50_us", 50.0), ("p99_us", 99.0), ("p999_us", 99.9), ("max_us", 100.0)];

fn percent(key: &str) -> Option<f64> {
    PERCENTILES.into_iter().find_map(|(name, percent)| (name == key).then_some(percent))
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, median, most) = (*values.first()?, values[values.len() / 2], *values.last()?);
        Some(Self { least, median, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_that_of_all_rounds() {
        let spread = Spread::of((0..8).rev().map(f64::from).collect());
        assert_eq!(spread, Some(Spread { least: 0.0, median: 4.0, most: 7.0 }));
        assert_eq!(Spread::of(vec![]), None);
        assert_eq!(Spread::of(vec![7.0]), Some(Spread { least: 7.0, median: 7.0, most: 7.0 }));
    }

    #[test]
    fn few_ticks_say_nothing() {
        let sample = |user, cpu| Sample::from([("user_ns", user), ("cpu_s", cpu)]);
        let mut cell = Cell { samples: vec![sample(1.0, 0.4), sample(3.0, 0.4)], ..Cell::default() };
        assert_eq!(cell.ticked("user_ns"), None);
        cell.samples.push(sample(5.0, 0.4));
        assert_eq!(cell.ticked("user_ns"), Some(3.0));
    }
}
