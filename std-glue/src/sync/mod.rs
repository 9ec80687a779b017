//! [`unboxed_core::sync`], and plain threads that block on it.
//!
//! | I want | |
//! |---|---|
//! | a plain thread that waits for what tasks hold | [`Blocking`], on the futures of the domain [`Threads`] |
//!
//! PARKING-1: a thread sleeps on a word of a static table, which is never freed, so a wake that comes late, when
//! the thread has left, or another has the same word, touches a word, and wakes for nothing at worst.

mod blocking;
mod parking;

pub use blocking::{Blocking, TimedOut};
pub(crate) use parking::rest_when_spinning;
pub use unboxed_core::sync::*;

/// The page's examples run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sync.md")]
struct WhichOneDoIWant;
