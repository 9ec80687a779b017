//! A mutex that is handed over, first come, first served.

use super::domain::{Domain, Shared, Tasks};
use super::guarded::Guarded;
use super::leave::Left;
use super::waiter::Waiter;
use core::cell::UnsafeCell;
use core::fmt;
use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll};

/// One user at a time of a value, across `.await`.
///
/// Waiters get it in the order in which they were first polled, and nobody overtakes: an unlock with
/// somebody waiting leaves it locked, in the first one's name. It is not poisoned by a panic.
///
/// ```
/// # use unboxed_core as unboxed;
/// use unboxed::sync::Mutex;
///
/// static TOTAL: Mutex<u64> = Mutex::new(0);
///
/// async fn add(amount: u64) {
///     *TOTAL.lock().await += amount;
/// }
/// # assert_eq!(*TOTAL.try_lock().unwrap(), 0);
/// # let _ = add(1);
/// ```
pub struct Mutex<T: ?Sized, D: Domain = Tasks> {
    locked: Guarded<D, bool>,
    value: UnsafeCell<T>,
}

// SAFETY: MUTEX-1: the value is reached through the one guard, or by who has the mutex alone.
unsafe impl<T: ?Sized + Send, D: Shared> Sync for Mutex<T, D> {}

impl<T> Mutex<T> {
    /// An unlocked mutex for all tasks; for other domains see [`with_domain`](Self::with_domain).
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// static TOTAL: unboxed::sync::Mutex<u64> = unboxed::sync::Mutex::new(0);
    /// assert_eq!(*TOTAL.try_lock().unwrap(), 0);
    /// ```
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Self {
        Self::with_domain(value)
    }
}

impl<T, D: Domain> Mutex<T, D> {
    crate::atomics::const_unless_loom! {
        /// An unlocked mutex of the domain that its type names.
        ///
        /// ```
        /// # use unboxed_core as unboxed;
        /// use unboxed::sync::{Local, Mutex};
        /// let total: Mutex<u64, Local> = Mutex::with_domain(0);
        /// *total.try_lock().unwrap() += 1;
        /// ```
        pub fn with_domain(value: T) -> Self {
            Self { locked: Guarded::new(false), value: UnsafeCell::new(value) }
        }
    }

    /// The value.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// assert_eq!(unboxed::sync::Mutex::new(1).into_inner(), 1);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized, D: Domain> Mutex<T, D> {
    /// Waits for the mutex.
    ///
    /// # Cancel safety
    /// Dropping the future gives up its place; if the mutex was its own already, the next one gets it.
    ///
    /// # Fairness
    /// First come, first served, from the first poll on. Polled again after its end it asks anew.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// async fn add(total: &unboxed::sync::Mutex<u64>) {
    ///     *total.lock().await += 1;
    /// }
    /// # let _ = add(&unboxed::sync::Mutex::new(0));
    /// ```
    pub fn lock(&self) -> Lock<'_, T, D> {
        Lock { mutex: self, waiter: Waiter::new() }
    }

    /// The mutex, if it is free now.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let mutex = unboxed::sync::Mutex::new(1);
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_none());
    /// assert!(mutex.try_lock().is_none());
    /// drop(guard);
    /// assert!(mutex.try_lock().is_some());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T, D>> {
        // Lazily: a guard that is made unlocks when it is dropped.
        self.locked
            .with(|inner| !core::mem::replace(&mut inner.state, true))
            .then(|| MutexGuard { mutex: self })
    }

    /// The value: nobody else can hold a mutex that is borrowed exclusively.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let mut mutex = unboxed::sync::Mutex::new(1);
    /// *mutex.get_mut() += 1;
    /// assert_eq!(mutex.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline]
    fn unlock(&self) {
        let next = self.locked.with(|inner| {
            let next = inner.list.serve(0);
            inner.state = next.is_some();
            next
        });
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl<T: ?Sized + fmt::Debug, D: Domain> fmt::Debug for Mutex<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_tuple("Mutex").field(&&*guard).finish(),
            None => f.write_str("Mutex(locked)"),
        }
    }
}

/// See [`Mutex::lock`].
#[must_use = "futures do nothing unless awaited"]
pub struct Lock<'a, T: ?Sized, D: Domain = Tasks> {
    mutex: &'a Mutex<T, D>,
    waiter: Waiter,
}

// SAFETY: WAIT-1: a shared mutex, and a waiter, which is Send.
unsafe impl<T: ?Sized + Send, D: Shared> Send for Lock<'_, T, D> {}

impl<'a, T: ?Sized, D: Domain> Future for Lock<'a, T, D> {
    type Output = MutexGuard<'a, T, D>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mutex = self.mutex;
        // SAFETY: WAIT-3: the waiter is pinned structurally.
        let waiter = unsafe { self.as_ref().map_unchecked(|lock| &lock.waiter) };
        let free = |inner: &mut super::guarded::Inner<bool>| {
            (!core::mem::replace(&mut inner.state, true)).then_some(0)
        };
        waiter.poll(&mutex.locked, cx, 0, free, |_| MutexGuard { mutex })
    }
}

impl<T: ?Sized, D: Domain> Drop for Lock<'_, T, D> {
    fn drop(&mut self) {
        self.waiter.leave(&self.mutex.locked, |inner, left| match left {
            Left::Served(_) => {
                let next = inner.list.serve(0);
                inner.state = next.is_some();
                next
            }
            Left::Queued => None,
        });
    }
}

#[cfg(all(test, loom))]
impl<T: ?Sized, D: Domain> Lock<'_, T, D> {
    /// A seeded bug.
    pub fn leave_without_passing_on(self: Pin<&Self>) {
        self.waiter.leave(&self.mutex.locked, |_, _| None);
    }
}

impl<T: ?Sized, D: Domain> fmt::Debug for Lock<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

/// The mutex is locked; dropping it unlocks, or hands over.
#[must_use = "a dropped guard unlocks at once"]
pub struct MutexGuard<'a, T: ?Sized, D: Domain = Tasks> {
    mutex: &'a Mutex<T, D>,
}

// SAFETY: MUTEX-1; the value and the right to unlock go along.
unsafe impl<T: ?Sized + Send, D: Shared> Send for MutexGuard<'_, T, D> {}
// SAFETY: MUTEX-1: a shared guard gives out `&T`.
unsafe impl<T: ?Sized + Send + Sync, D: Shared> Sync for MutexGuard<'_, T, D> {}

#[cfg(all(test, loom))]
impl<T: ?Sized, D: Domain> MutexGuard<'_, T, D> {
    /// A seeded bug: wakes the next one before the unlock.
    pub fn unlock_waking_under_the_lock(self) {
        self.mutex.locked.with(|inner| {
            if let Some(waker) = inner.list.serve(0) {
                waker.wake();
            }
        });
        core::mem::forget(self);
    }

    /// A seeded bug: serves the first waiter, and frees the mutex as well.
    pub fn unlock_without_hand_over(self) {
        let next = self.mutex.locked.with(|inner| {
            inner.state = false;
            inner.list.serve(0)
        });
        core::mem::forget(self);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl<T: ?Sized, D: Domain> Deref for MutexGuard<'_, T, D> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: MUTEX-1.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized, D: Domain> DerefMut for MutexGuard<'_, T, D> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: MUTEX-1.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized, D: Domain> Drop for MutexGuard<'_, T, D> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.unlock();
    }
}

impl<T: ?Sized + fmt::Debug, D: Domain> fmt::Debug for MutexGuard<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Mutex<(), super::Local>>() <= 24);
    assert!(size_of::<Mutex<(), Tasks>>() <= 32);
};
