//! Waiting for the next value of a watch.

use super::error::RecvError;
use super::watch::{State, Watch};
use crate::sync::{Domain, Inner, Tasks, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Knows which version it has seen. See [`Watch::watcher`].
pub struct Watcher<'a, T, D: Domain = Tasks> {
    watch: &'a Watch<T, D>,
    seen: u64,
}

impl<'a, T, D: Domain> Watcher<'a, T, D> {
    /// Of one that has seen so many.
    pub(super) fn new(watch: &'a Watch<T, D>, seen: u64) -> Self {
        Self { watch, seen }
    }

    /// Waits until there is a value that was not seen, and counts it as seen.
    ///
    /// # Errors
    /// [`RecvError::Closed`] when the watch is closed and its last value was seen; [`RecvError::Cancelled`].
    ///
    /// # Cancel safety
    /// A dropped future has seen nothing.
    ///
    /// # Fairness
    /// All are told, those first who have waited longest.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::Watcher;
    ///
    /// async fn follow(mut limit: Watcher<'_, u32>) {
    ///     while limit.changed().await.is_ok() {
    ///         limit.read(|limit| println!("at most {limit}"));
    ///     }
    /// }
    /// # let _ = follow;
    /// ```
    pub fn changed(&mut self) -> Changed<'_, T, D> {
        Changed { watch: self.watch, seen: &mut self.seen, waiter: Waiter::new(), cancelled: false }
    }

    /// Whether there is a value that was not seen.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let limit = unboxed::channel::Watch::new(10);
    /// let mut watcher = limit.watcher();
    /// limit.send(20).unwrap();
    /// assert!(watcher.has_changed());
    /// watcher.read(|_| ());
    /// assert!(!watcher.has_changed());
    /// ```
    pub fn has_changed(&self) -> bool {
        self.watch.version() != self.seen
    }

    /// Reads the value in place, and counts it as seen.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let limit = unboxed::channel::Watch::new(10);
    /// assert_eq!(limit.watcher().read(|limit| *limit), 10);
    /// ```
    pub fn read<R>(&mut self, read: impl FnOnce(&T) -> R) -> R {
        let (result, version) = self.watch.read_version(read);
        self.seen = version;
        result
    }
}

impl<T, D: Domain> Clone for Watcher<'_, T, D> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T, D: Domain> fmt::Debug for Watcher<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// See [`Watcher::changed`].
#[must_use = "futures do nothing unless awaited"]
pub struct Changed<'a, T, D: Domain = Tasks> {
    watch: &'a Watch<T, D>,
    seen: &'a mut u64,
    waiter: Waiter,
    cancelled: bool,
}

impl<T, D: Domain> Future for Changed<'_, T, D> {
    type Output = Result<(), RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the waiter stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        if this.cancelled && !this.waiter.is_waiting() {
            return Poll::Ready(Err(RecvError::Cancelled));
        }
        let seen = *this.seen;
        let look = |watch: &mut Inner<State<T>>, (): &mut ()| match watch.state.version {
            version if version != seen => Some(Ok(version)),
            _ => watch.state.has_ended().then_some(Err(RecvError::Closed)),
        };
        let served = |watch: &mut Inner<State<T>>, after: &mut (), _| {
            look(watch, after).unwrap_or(Err(RecvError::Closed))
        };
        // The list is in the order of versions: who has seen the current one is behind all others.
        let request = core::ptr::without_provenance(seen as u32 as usize);
        // SAFETY: the waiter is pinned structurally.
        let waiter = unsafe { Pin::new_unchecked(&this.waiter) };
        let guarded = &this.watch.guarded;
        let end = waiter.poll_in(guarded, Inner::list, cx, request, &mut (), look, served);
        end.map_ok(|version| *this.seen = version)
    }
}

impl<T, D: Domain> Changed<'_, T, D> {
    /// Leaves the line; what it was served is still its own.
    #[cfg_attr(loom, allow(dead_code))]
    pub(super) fn withdraw(self: Pin<&mut Self>) {
        // SAFETY: nothing is moved.
        let this = unsafe { self.get_unchecked_mut() };
        this.cancelled = true;
        this.waiter.withdraw(&this.watch.guarded, Inner::list);
    }
}

#[cfg(not(loom))]
impl<T, D: Domain> crate::op::Operation for Changed<'_, T, D> {
    fn request_cancel(self: Pin<&mut Self>, _: &mut Context<'_>) {
        self.withdraw();
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        matches!(output, Err(RecvError::Cancelled))
    }
}

impl<T, D: Domain> Drop for Changed<'_, T, D> {
    fn drop(&mut self) {
        self.waiter.leave(&self.watch.guarded, |_, _| None);
    }
}

impl<T, D: Domain> fmt::Debug for Changed<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changed")
    }
}
