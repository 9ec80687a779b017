//! A primitive's state with those who wait for it, under the domain's raw lock.

use super::domain::{Domain, RawLock, Shared};
use super::waiter::List;
use crate::atomics::UnsafeCell;

/// What the raw lock guards (WAIT-1).
#[derive(Debug)]
pub(crate) struct Inner<S> {
    pub state: S,
    pub list: List,
}

impl<S> Inner<S> {
    pub fn list(&mut self) -> &mut List {
        &mut self.list
    }
}

pub(crate) struct Guarded<D: Domain, S> {
    raw: D::Raw,
    inner: UnsafeCell<Inner<S>>,
}

// SAFETY: WAIT-1, and the raw lock of a shared domain holds across threads.
unsafe impl<D: Shared, S: Send> Sync for Guarded<D, S> {}
// SAFETY: a primitive that is moved has no waiter: each borrows it. The raw lock is data.
unsafe impl<D: Domain, S: Send> Send for Guarded<D, S> {}

impl<D: Domain, S> Guarded<D, S> {
    #[cfg(not(loom))]
    pub const fn new(state: S) -> Self {
        Self { raw: D::Raw::NEW, inner: UnsafeCell::new(Inner { state, list: List::new() }) }
    }

    #[cfg(loom)]
    pub fn new(state: S) -> Self {
        Self { raw: D::Raw::default(), inner: UnsafeCell::new(Inner { state, list: List::new() }) }
    }

    /// Runs a few instructions of our own under the lock (WAIT-2).
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut Inner<S>) -> R) -> R {
        let _unlock = Unlock { raw: &self.raw, token: Some(self.raw.lock()) };
        self.inner.with_mut(|inner| {
            // SAFETY: WAIT-1.
            f(unsafe { &mut *inner })
        })
    }
}

/// Unlocks, also when an assertion of ours fails under the lock.
struct Unlock<'a, R: RawLock> {
    raw: &'a R,
    token: Option<R::Token>,
}

impl<R: RawLock> Drop for Unlock<'_, R> {
    #[inline]
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            // SAFETY: the token of the lock that made this.
            unsafe { self.raw.unlock(token) };
        }
    }
}

impl<D: Domain, S: core::fmt::Debug> core::fmt::Debug for Guarded<D, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}
