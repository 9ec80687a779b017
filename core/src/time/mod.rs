//! Timers as slots on the worker's hierarchical wheel. They are never early; they are late by at most one
//! tick of 16 microseconds and what the system's sleep adds.

mod interval;
mod sleep;
mod timeout;
mod wheel;

pub use interval::{Interval, MissedTicks, interval};
pub use sleep::{Instant, Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, Timeout, timeout};

pub(crate) use wheel::Wheel;
