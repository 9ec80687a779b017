//! What a runtime does, as others see it: the core's counters and, with the feature `trace`, timed polls and traces by
//! the system's clock, and a thread that watches for polls that do not end.

pub use unboxed_core::observe::*;

#[cfg(feature = "trace")]
mod watcher;
#[cfg(feature = "trace")]
pub use watcher::{Stuck, Watcher};

/// The system's monotonic clock, in nanoseconds: what [`observation`] measures by.
#[cfg(feature = "trace")]
pub fn clock() -> u64 {
    crate::ring::monotonic_ns()
}

/// Times polls by the system's clock; what else is observed, its methods say.
///
/// ```
/// use unboxed::observe::{Observation, TraceBuffer, observation, print_slow};
/// use unboxed::rt::{Config, RuntimeCell};
///
/// static RUNTIME: RuntimeCell = RuntimeCell::new();
/// static BUFFER: TraceBuffer<4096> = TraceBuffer::new();
/// static OBSERVATION: Observation = observation().slow_polls(10_000_000, print_slow).buffer(0, &BUFFER);
///
/// # if let Ok(mut runtime) = RUNTIME.start(Config::new()) {
/// # if false {
/// let mut runtime = RUNTIME.start(Config::new())?;
/// # }
/// assert!(runtime.remote().observe(Some(&OBSERVATION)));
/// runtime.block_on(async {});
/// assert!(BUFFER.records().count() > 0);
/// # }
/// # Ok::<(), unboxed::rt::StartError>(())
/// ```
#[cfg(feature = "trace")]
pub const fn observation() -> Observation {
    // SAFETY: CLOCK-1: the clock is the system's.
    unsafe { Observation::new(clock) }
}

/// Says on the standard error that a poll was slow, without an allocation.
#[cfg(feature = "trace")]
pub fn print_slow(poll: &SlowPoll) {
    eprintln!("unboxed: {poll}");
}
