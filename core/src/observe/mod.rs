//! What a runtime does, as others see it: counters, histograms, and views of both that allocate nothing.
//!
//! Every worker counts as it goes, always, by a load and a store each ([`Stats`](crate::exec::Stats)).
//! [`Remote::snapshot`](crate::exec::Remote::snapshot) reads one worker's counters from any thread.
//!
//! With the feature `trace`, an `Observation` turns on more, on workers that run already: polls are
//! timed, those that take too long are reported, and what happens is recorded in memory of the caller's, as records of
//! 32 bytes. While it is off, each hook is a load and a branch; without the feature it is nothing.
//!
//! OBSERVE-1: what is observed is a `&'static Observation`, so that a worker may look at it at any time.
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

#[cfg(not(loom))]
mod histogram;
#[cfg(not(loom))]
mod read;
#[cfg(not(loom))]
mod snapshot;

#[cfg(all(feature = "trace", not(loom)))]
mod buckets;
#[cfg(all(feature = "trace", not(loom)))]
mod chrome;
#[cfg(all(feature = "trace", not(loom)))]
#[path = "hooks.rs"]
pub(crate) mod hook;
#[cfg(all(not(feature = "trace"), not(loom)))]
#[path = "no_hooks.rs"]
pub(crate) mod hook;
#[cfg(all(feature = "trace", not(loom)))]
mod observation;
#[cfg(all(feature = "trace", not(loom)))]
mod observer;
#[cfg(all(feature = "trace", not(loom)))]
mod record;
#[cfg(any(all(feature = "trace", not(loom)), all(test, loom)))]
#[cfg_attr(loom, allow(dead_code))]
mod ring;
#[cfg(all(test, loom))]
mod ring_loom;

#[cfg(not(loom))]
pub use histogram::{BUCKETS, Histogram};
#[cfg(not(loom))]
pub use snapshot::{Snapshot, SnapshotJson, SnapshotText};

#[cfg(all(feature = "trace", not(loom)))]
pub(crate) use observer::Observer;
#[cfg(all(feature = "trace", not(loom)))]
pub use {
    chrome::{ChromeTrace, Track, chrome},
    observation::{Observation, Records, SlowPoll, Tracer},
    record::{Kind, Record},
    ring::{Place, TraceBuffer, TraceRing},
};

#[cfg(all(feature = "trace", not(target_has_atomic = "64")))]
compile_error!("the feature `trace` needs 64-bit atomics, which this target has not: build without it");
