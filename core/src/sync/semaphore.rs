//! Permits that are handed out first come, first served.

use super::domain::{Domain, Tasks};
use super::guarded::{Guarded, Inner};
use super::leave::Left;
use super::permit::{Closed, Permit, TryAcquireError};
use super::waiter::Waiter;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

const GRANTED: u32 = 0;
const CLOSED: u32 = 1;

struct State {
    permits: u32,
    closed: bool,
}

/// A number of permits: whoever wants some waits until there are enough.
///
/// Fair: waiters get theirs in the order in which they were first polled, and nobody overtakes, not even one
/// who asks for fewer than are there.
///
/// ```
/// # use unboxed_core as unboxed;
/// use unboxed::sync::Semaphore;
///
/// static UPLOADS: Semaphore = Semaphore::new(2);
///
/// async fn upload() {
///     let _permit = UPLOADS.acquire(1).await.expect("never closed");
///     // At most two are here.
/// }
///
/// let both = UPLOADS.try_acquire(2).unwrap();
/// assert!(UPLOADS.try_acquire(1).is_err());
/// drop(both);
/// assert_eq!(UPLOADS.available(), 2);
/// # let _ = upload();
/// ```
pub struct Semaphore<D: Domain = Tasks> {
    state: Guarded<D, State>,
}

impl Semaphore {
    /// A semaphore of so many permits for all tasks; for other domains see
    /// [`with_domain`](Self::with_domain).
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// static LIMIT: unboxed::sync::Semaphore = unboxed::sync::Semaphore::new(8);
    /// assert_eq!(LIMIT.available(), 8);
    /// ```
    #[cfg(not(loom))]
    pub const fn new(permits: u32) -> Self {
        Self::with_domain(permits)
    }
}

fn step(inner: &mut Inner<State>) -> Option<Waker> {
    let wanted = inner.list.request()?;
    if inner.state.closed {
        return inner.list.serve(CLOSED);
    }
    inner.state.permits = inner.state.permits.checked_sub(wanted)?;
    inner.list.serve(GRANTED)
}

fn attempt(inner: &mut Inner<State>, wanted: u32) -> Result<(), TryAcquireError> {
    if inner.state.closed {
        return Err(TryAcquireError::Closed);
    }
    let left = inner.state.permits.checked_sub(wanted).filter(|_| inner.list.is_empty());
    inner.state.permits = left.ok_or(TryAcquireError::NoPermits)?;
    Ok(())
}

impl<D: Domain> Semaphore<D> {
    crate::atomics::const_unless_loom! {
        /// A semaphore of the domain that its type names.
        ///
        /// ```
        /// # use unboxed_core as unboxed;
        /// use unboxed::sync::{Local, Semaphore};
        /// let limit: Semaphore<Local> = Semaphore::with_domain(8);
        /// assert_eq!(limit.available(), 8);
        /// ```
        pub fn with_domain(permits: u32) -> Self {
            Self { state: Guarded::new(State { permits, closed: false }) }
        }
    }

    /// Waits for so many permits, all at once. Nothing is taken before all are there.
    ///
    /// # Errors
    /// [`Closed`] when the semaphore is closed, before or meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future gives up its place; permits that were its own already go to the next ones.
    ///
    /// # Fairness
    /// First come, first served: a small wish waits behind a large one.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use unboxed::sync::{Closed, Semaphore};
    /// async fn with_two(limit: &Semaphore) -> Result<(), Closed> {
    ///     let permit = limit.acquire(2).await?;
    ///     assert_eq!(permit.permits(), 2);
    ///     Ok(())
    /// }
    /// # let _ = with_two(&Semaphore::new(2));
    /// ```
    pub fn acquire(&self, permits: u32) -> Acquire<'_, D> {
        Acquire { semaphore: self, permits, waiter: Waiter::new() }
    }

    /// So many permits, if they are there now and nobody waits.
    ///
    /// # Errors
    /// [`TryAcquireError`].
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use unboxed::sync::{Semaphore, TryAcquireError};
    /// let limit = Semaphore::new(1);
    /// let _permit = limit.try_acquire(1).unwrap();
    /// assert_eq!(limit.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
    /// ```
    #[inline]
    pub fn try_acquire(&self, permits: u32) -> Result<Permit<'_, D>, TryAcquireError> {
        self.state.with(|inner| attempt(inner, permits))?;
        Ok(Permit { semaphore: self, permits })
    }

    /// Adds permits, for ever; those who wait for them get them.
    ///
    /// # Panics
    /// When more than `u32::MAX` would be available; none are added then.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use unboxed::sync::Semaphore;
    /// let limit = Semaphore::new(0);
    /// limit.add_permits(3);
    /// assert_eq!(limit.available(), 3);
    /// ```
    pub fn add_permits(&self, permits: u32) {
        let added = self.state.serve(
            |inner| {
                let sum = inner.state.permits.checked_add(permits);
                inner.state.permits = sum.unwrap_or(inner.state.permits);
                sum.is_some()
            },
            step,
        );
        assert!(added, "unboxed: a semaphore with more than u32::MAX permits");
    }

    #[inline]
    pub(super) fn give_back(&self, permits: u32) {
        self.state.serve(|inner| inner.state.permits = inner.state.permits.saturating_add(permits), step);
    }

    /// Ends it: who waits, or asks later, gets [`Closed`]. Permits that were given stay good.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use unboxed::sync::{Semaphore, TryAcquireError};
    /// let limit = Semaphore::new(1);
    /// limit.close();
    /// assert_eq!(limit.try_acquire(1).unwrap_err(), TryAcquireError::Closed);
    /// ```
    pub fn close(&self) {
        self.state.serve(|inner| inner.state.closed = true, step);
    }

    /// Whether [`close`](Self::close) was called.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let limit = unboxed::sync::Semaphore::new(1);
    /// limit.close();
    /// assert!(limit.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.state.with(|inner| inner.state.closed)
    }

    /// How many are there now; a moment later it may be another number.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// assert_eq!(unboxed::sync::Semaphore::new(3).available(), 3);
    /// ```
    pub fn available(&self) -> u32 {
        self.state.with(|inner| inner.state.permits)
    }
}

impl<D: Domain> fmt::Debug for Semaphore<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// See [`Semaphore::acquire`].
#[must_use = "futures do nothing unless awaited"]
pub struct Acquire<'a, D: Domain = Tasks> {
    semaphore: &'a Semaphore<D>,
    permits: u32,
    waiter: Waiter,
}

impl<'a, D: Domain> Future for Acquire<'a, D> {
    type Output = Result<Permit<'a, D>, Closed>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { semaphore, permits, .. } = *self;
        // SAFETY: WAIT-3: the waiter is pinned structurally.
        let waiter = unsafe { self.as_ref().map_unchecked(|acquire| &acquire.waiter) };
        let enough = |inner: &mut Inner<State>| match attempt(inner, permits) {
            Ok(()) => Some(GRANTED),
            Err(TryAcquireError::Closed) => Some(CLOSED),
            Err(TryAcquireError::NoPermits) => None,
        };
        waiter.poll(&semaphore.state, cx, permits, enough, |answer| match answer {
            GRANTED => Ok(Permit { semaphore, permits }),
            _ => Err(Closed),
        })
    }
}

impl<D: Domain> Drop for Acquire<'_, D> {
    fn drop(&mut self) {
        let permits = self.permits;
        let give_back = |inner: &mut Inner<State>, left| {
            if left == Left::Served(GRANTED) {
                inner.state.permits = inner.state.permits.saturating_add(permits);
            }
        };
        self.waiter.leave_serving(&self.semaphore.state, give_back, step);
    }
}

impl<D: Domain> fmt::Debug for Acquire<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acquire({})", self.permits)
    }
}

#[cfg(all(test, loom))]
#[path = "semaphore_loom.rs"]
mod models;
