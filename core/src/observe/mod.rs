//! What a runtime does, as others see it: counters, histograms, and views of both that allocate nothing.
//!
//! Every worker counts as it goes, always, by a load and a store each ([`Stats`](crate::exec::Stats)).
//! [`Remote::snapshot`](crate::exec::Remote::snapshot) reads one worker's counters from any thread.
//!
//! ```
//! # use unboxed_core as unboxed;
//! use unboxed::observe::Histogram;
//!
//! let mut latency = Histogram::new();
//! (1..=1000).for_each(|n| latency.record(n * 1000));
//! assert_eq!(latency.count(), 1000);
//! let p99 = latency.percentile(99.0);
//! assert!((990_000..990_000 * 9 / 8).contains(&p99));
//! ```

mod histogram;
mod read;
mod snapshot;

pub use histogram::{BUCKETS, Histogram};
pub use snapshot::{Snapshot, SnapshotJson, SnapshotText};
