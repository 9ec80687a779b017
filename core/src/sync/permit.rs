//! What a semaphore gives, and why it does not.

use super::domain::{Domain, Tasks};
use super::semaphore::Semaphore;
use core::fmt;

/// The semaphore was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore was closed")
    }
}

impl core::error::Error for Closed {}

/// Why [`Semaphore::try_acquire`] gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryAcquireError {
    /// There are too few, or others wait already.
    NoPermits,
    /// The semaphore was closed.
    Closed,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPermits => f.write_str("too few permits"),
            Self::Closed => Closed.fmt(f),
        }
    }
}

impl core::error::Error for TryAcquireError {}

/// Some permits; dropping it gives them back.
#[must_use = "a dropped permit is given back at once"]
#[derive(Debug)]
pub struct Permit<'a, D: Domain = Tasks> {
    pub(super) semaphore: &'a Semaphore<D>,
    pub(super) permits: u32,
}

impl<D: Domain> Permit<'_, D> {
    /// How many it stands for.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let limit = unboxed::sync::Semaphore::new(3);
    /// assert_eq!(limit.try_acquire(2).unwrap().permits(), 2);
    /// ```
    pub fn permits(&self) -> u32 {
        self.permits
    }

    /// Keeps them for ever: the semaphore has so many fewer.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use unboxed::sync::Semaphore;
    /// let limit = Semaphore::new(2);
    /// limit.try_acquire(1).unwrap().forget();
    /// assert_eq!(limit.available(), 1);
    /// ```
    pub fn forget(self) {
        core::mem::forget(self);
    }
}

impl<D: Domain> Drop for Permit<'_, D> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.give_back(self.permits);
    }
}
