//! A primitive's state with those who wait for it, under the domain's raw lock.

use super::domain::{Domain, RawLock, Shared};
use super::list::List;
use crate::atomics::UnsafeCell;
use core::task::Waker;

/// How many are woken between two times under the lock.
const BATCH: usize = 16;

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
// SAFETY: WAIT-3: a primitive that is moved has no waiter that will be touched again but through it: each borrows
// it, unless it was leaked. The raw lock may be sent (LOCK-1).
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

    /// Changes the state, then serves until `step` gives no waker. Wakers are woken in order, after the unlock,
    /// at most `BATCH` at a time; in between `step` must leave a state that others may go on from.
    #[inline]
    pub fn serve<R>(
        &self,
        change: impl FnOnce(&mut Inner<S>) -> R,
        mut step: impl FnMut(&mut Inner<S>) -> Option<Waker>,
    ) -> R {
        let (result, first, second) = self.with(|inner| {
            let result = change(inner);
            let first = step(inner);
            let second = if first.is_some() { step(inner) } else { None };
            (result, first, second)
        });
        match first {
            None => {}
            Some(first) if second.is_none() => first.wake(),
            first => self.serve_rest([first, second], step),
        }
        result
    }

    #[cold]
    fn serve_rest(&self, begun: [Option<Waker>; 2], step: impl FnMut(&mut Inner<S>) -> Option<Waker>) {
        let mut wakers = [const { None }; BATCH];
        let len = begun.len();
        for (place, waker) in wakers.iter_mut().zip(begun) {
            *place = waker;
        }
        Rest { guarded: self, step, wakers, next: 0, len, more: true }.run();
    }
}

#[cfg(all(test, loom))]
impl<D: Domain, S> Guarded<D, S> {
    /// WAIT-2 broken: wakes under the lock.
    pub fn serve_under_the_lock(
        &self,
        change: impl FnOnce(&mut Inner<S>),
        mut step: impl FnMut(&mut Inner<S>) -> Option<Waker>,
    ) {
        self.with(|inner| {
            change(inner);
            while let Some(waker) = step(inner) {
                waker.wake();
            }
        });
    }

    /// A seeded bug: serves those who wait, and changes the state in a second step.
    pub fn serve_before_the_change(
        &self,
        change: impl FnOnce(&mut Inner<S>),
        step: impl FnMut(&mut Inner<S>) -> Option<Waker>,
    ) {
        self.serve(|_| (), step);
        self.with(change);
    }
}

/// Wakers on their way; those behind one whose wake panics are woken while that panic goes up.
struct Rest<'a, D: Domain, S, F: FnMut(&mut Inner<S>) -> Option<Waker>> {
    guarded: &'a Guarded<D, S>,
    step: F,
    wakers: [Option<Waker>; BATCH],
    next: usize,
    len: usize,
    more: bool,
}

impl<D: Domain, S, F: FnMut(&mut Inner<S>) -> Option<Waker>> Rest<'_, D, S, F> {
    fn run(&mut self) {
        loop {
            while self.more && self.len < BATCH {
                self.fill();
            }
            while self.next < self.len {
                let waker = self.wakers[self.next].take();
                self.next += 1;
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            (self.next, self.len) = (0, 0);
            if !self.more {
                return;
            }
        }
    }

    fn fill(&mut self) {
        let Self { guarded, step, wakers, len, more, .. } = self;
        *more = guarded.with(|inner| {
            while *len < BATCH {
                let Some(waker) = step(inner) else { return false };
                wakers[*len] = Some(waker);
                *len += 1;
            }
            true
        });
    }
}

impl<D: Domain, S, F: FnMut(&mut Inner<S>) -> Option<Waker>> Drop for Rest<'_, D, S, F> {
    fn drop(&mut self) {
        self.run();
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
            // SAFETY: LOCK-1: the token of the lock that made this.
            unsafe { self.raw.unlock(token) };
        }
    }
}

impl<D: Domain, S: core::fmt::Debug> core::fmt::Debug for Guarded<D, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}
