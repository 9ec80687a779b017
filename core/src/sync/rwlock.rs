//! Many readers or one writer, first come, first served.

use super::domain::{Domain, Shared, Tasks};
use super::guarded::{Guarded, Inner};
use super::leave::Left;
use super::waiter::Waiter;
use core::cell::UnsafeCell;
use core::fmt;
use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

const READ: u32 = 0;
const WRITE: u32 = 1;
/// The count of readers while a writer has it.
const WRITER: u32 = u32::MAX;

/// Many readers or one writer of a value, across `.await`.
///
/// A writer that waits stops new readers, and readers that wait go before a later writer: both get it in the
/// order in which they were first polled, so neither starves. It is not poisoned by a panic.
///
/// Whoever holds a read guard and awaits another of the same lock waits for ever if a writer came in between.
///
/// ```
/// # use unboxed_core as unboxed;
/// use unboxed::sync::RwLock;
///
/// static LIMITS: RwLock<[u32; 2]> = RwLock::new([10, 20]);
///
/// async fn first() -> u32 {
///     LIMITS.read().await[0]
/// }
///
/// async fn raise(by: u32) {
///     for limit in LIMITS.write().await.iter_mut() {
///         *limit += by;
///     }
/// }
/// # assert_eq!(LIMITS.try_read().unwrap()[0], 10);
/// # let _ = (first(), raise(1));
/// ```
pub struct RwLock<T: ?Sized, D: Domain = Tasks> {
    /// How many read, or `WRITER`.
    users: Guarded<D, u32>,
    value: UnsafeCell<T>,
}

// SAFETY: RWLOCK-1: the value is reached through read guards, or through the one write guard.
unsafe impl<T: ?Sized + Send + Sync, D: Shared> Sync for RwLock<T, D> {}

impl<T> RwLock<T> {
    /// A free lock for all tasks; for other domains see [`with_domain`](Self::with_domain).
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// static NAME: unboxed::sync::RwLock<&str> = unboxed::sync::RwLock::new("none");
    /// assert_eq!(*NAME.try_read().unwrap(), "none");
    /// ```
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Self {
        Self::with_domain(value)
    }
}

fn step(inner: &mut Inner<u32>) -> Option<Waker> {
    let wanted = inner.list.request()?;
    take(&mut inner.state, wanted).then(|| inner.list.serve(0))?
}

/// Takes it if those who have it allow.
fn take(users: &mut u32, wanted: u32) -> bool {
    match wanted {
        WRITE if *users == 0 => *users = WRITER,
        READ if *users < WRITER - 1 => *users += 1,
        _ => return false,
    }
    true
}

/// Takes it if those who have it, and those who wait, allow.
fn attempt(inner: &mut Inner<u32>, wanted: u32) -> bool {
    inner.list.is_empty() && take(&mut inner.state, wanted)
}

fn give_back(inner: &mut Inner<u32>, kind: u32) {
    inner.state = if kind == WRITE { 0 } else { inner.state - 1 };
}

impl<T, D: Domain> RwLock<T, D> {
    crate::atomics::const_unless_loom! {
        /// A free lock of the domain that its type names.
        ///
        /// ```
        /// # use unboxed_core as unboxed;
        /// use unboxed::sync::{Local, RwLock};
        /// let value: RwLock<u8, Local> = RwLock::with_domain(1);
        /// assert_eq!(*value.try_read().unwrap(), 1);
        /// ```
        pub fn with_domain(value: T) -> Self {
            Self { users: Guarded::new(0), value: UnsafeCell::new(value) }
        }
    }

    /// The value.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// assert_eq!(unboxed::sync::RwLock::new(1).into_inner(), 1);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized, D: Domain> RwLock<T, D> {
    /// Waits until it may be read.
    ///
    /// # Cancel safety
    /// Dropping the future gives up its place; if it was let in already, it goes out again.
    ///
    /// # Fairness
    /// Behind whoever waits already, a writer too; before whoever comes later.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// async fn sum(parts: &unboxed::sync::RwLock<[u32; 4]>) -> u32 {
    ///     parts.read().await.iter().sum()
    /// }
    /// # let _ = sum(&unboxed::sync::RwLock::new([0; 4]));
    /// ```
    pub fn read(&self) -> Read<'_, T, D> {
        Read { wait: Wait { lock: self, waiter: Waiter::new() } }
    }

    /// Waits until it may be written.
    ///
    /// # Cancel safety
    /// Dropping the future gives up its place, and lets in the readers that it held up; if the lock was its
    /// own already, the next ones get it.
    ///
    /// # Fairness
    /// Before whoever comes later, readers too; behind whoever waits already.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// async fn clear(parts: &unboxed::sync::RwLock<[u32; 4]>) {
    ///     *parts.write().await = [0; 4];
    /// }
    /// # let _ = clear(&unboxed::sync::RwLock::new([0; 4]));
    /// ```
    pub fn write(&self) -> Write<'_, T, D> {
        Write { wait: Wait { lock: self, waiter: Waiter::new() } }
    }

    /// A read guard, if nobody writes or waits now.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let value = unboxed::sync::RwLock::new(1);
    /// let (one, two) = (value.try_read().unwrap(), value.try_read().unwrap());
    /// assert_eq!(*one, *two);
    /// ```
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T, D>> {
        self.users.with(|inner| attempt(inner, READ)).then(|| RwLockReadGuard { lock: self })
    }

    /// The write guard, if nobody has it or waits now.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let value = unboxed::sync::RwLock::new(1);
    /// *value.try_write().unwrap() += 1;
    /// assert_eq!(value.into_inner(), 2);
    /// ```
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T, D>> {
        self.users.with(|inner| attempt(inner, WRITE)).then(|| RwLockWriteGuard { lock: self })
    }

    /// The value: nobody else can hold a lock that is borrowed exclusively.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let mut lock = unboxed::sync::RwLock::new(1);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline]
    fn unlock(&self, kind: u32) {
        self.users.serve(|inner| give_back(inner, kind), step);
    }
}

impl<T: ?Sized + fmt::Debug, D: Domain> fmt::Debug for RwLock<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Some(guard) => f.debug_tuple("RwLock").field(&&*guard).finish(),
            None => f.write_str("RwLock(locked)"),
        }
    }
}

/// What [`Read`] and [`Write`] share; `KIND` is what is asked for.
struct Wait<'a, T: ?Sized, D: Domain, const KIND: u32> {
    lock: &'a RwLock<T, D>,
    waiter: Waiter,
}

impl<'a, T: ?Sized, D: Domain, const KIND: u32> Wait<'a, T, D, KIND> {
    #[inline(always)]
    fn poll<G>(self: Pin<&Self>, cx: &mut Context<'_>, guard: impl Fn(&'a RwLock<T, D>) -> G) -> Poll<G> {
        let lock = self.lock;
        // SAFETY: WAIT-3: the waiter is pinned structurally.
        let waiter = unsafe { self.map_unchecked(|wait| &wait.waiter) };
        let free = |inner: &mut Inner<u32>| attempt(inner, KIND).then_some(0);
        waiter.poll(&lock.users, cx, KIND, free, |_| guard(lock))
    }
}

impl<T: ?Sized, D: Domain, const KIND: u32> Drop for Wait<'_, T, D, KIND> {
    fn drop(&mut self) {
        let settle = |inner: &mut Inner<u32>, left| {
            if left != Left::Queued {
                give_back(inner, KIND);
            }
        };
        self.waiter.leave_serving(&self.lock.users, settle, step);
    }
}

/// A future and its guard, for readers or for writers.
macro_rules! side {
    ($future:ident, $guard:ident, $kind:ident, $method:literal, $what:literal) => {
        #[doc = concat!("See [`RwLock::", $method, "`].")]
        #[must_use = "futures do nothing unless awaited"]
        pub struct $future<'a, T: ?Sized, D: Domain = Tasks> {
            wait: Wait<'a, T, D, $kind>,
        }

        impl<'a, T: ?Sized, D: Domain> Future for $future<'a, T, D> {
            type Output = $guard<'a, T, D>;

            #[inline(always)]
            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                // SAFETY: WAIT-3: the waiter is pinned structurally.
                let wait = unsafe { self.as_ref().map_unchecked(|future| &future.wait) };
                wait.poll(cx, |lock| $guard { lock })
            }
        }

        impl<T: ?Sized, D: Domain> fmt::Debug for $future<'_, T, D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($future))
            }
        }

        #[doc = $what]
        #[must_use = "a dropped guard unlocks at once"]
        pub struct $guard<'a, T: ?Sized, D: Domain = Tasks> {
            lock: &'a RwLock<T, D>,
        }

        impl<T: ?Sized, D: Domain> Deref for $guard<'_, T, D> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: RWLOCK-1.
                unsafe { &*self.lock.value.get() }
            }
        }

        impl<T: ?Sized, D: Domain> Drop for $guard<'_, T, D> {
            #[inline]
            fn drop(&mut self) {
                self.lock.unlock($kind);
            }
        }

        impl<T: ?Sized + fmt::Debug, D: Domain> fmt::Debug for $guard<'_, T, D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}

side!(Read, RwLockReadGuard, READ, "read", "The lock is read; dropping it goes out.");
side!(Write, RwLockWriteGuard, WRITE, "write", "The lock is written; dropping it lets in who is next.");

impl<T: ?Sized, D: Domain> DerefMut for RwLockWriteGuard<'_, T, D> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: RWLOCK-1.
        unsafe { &mut *self.lock.value.get() }
    }
}

#[cfg(all(test, loom))]
#[path = "rwlock_loom.rs"]
mod models;
