//! Tells one waiter, or all, that something happened.

use super::domain::{Domain, Tasks};
use super::guarded::{Guarded, Inner};
use super::leave::Left;
use super::waiter::Waiter;
use crate::atomics::{AtomicU32, Ordering};
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

const BY_ONE: u32 = 0;
const BY_ALL: u32 = 1;

struct State {
    /// Somebody was told while nobody waited.
    stored: bool,
    /// How often all were told; what a waiter asks for is the round that it waits in, so those of earlier
    /// rounds are told already, and stand in front.
    round: u32,
}

/// Tells waiters that something happened, without saying what.
///
/// First come, first served: [`notify_one`](Self::notify_one) tells who was polled first.
///
/// ```
/// # use unboxed_core as unboxed;
/// use core::sync::atomic::{AtomicBool, Ordering};
/// use unboxed::sync::Notify;
///
/// static STOP: AtomicBool = AtomicBool::new(false);
/// static CHANGED: Notify = Notify::new();
///
/// fn stop() {
///     STOP.store(true, Ordering::Release);
///     CHANGED.notify_all();
/// }
///
/// async fn stopped() {
///     loop {
///         let changed = CHANGED.notified();
///         if STOP.load(Ordering::Acquire) {
///             return;
///         }
///         changed.await;
///     }
/// }
/// # stop();
/// # let _ = stopped();
/// ```
pub struct Notify<D: Domain = Tasks> {
    /// The state's, for those who only look: a call for all that came before is seen, as all see the stores of
    /// one word in one order.
    round: AtomicU32,
    state: Guarded<D, State>,
}

impl Notify {
    /// Nobody waits, nothing is stored; for other domains see [`with_domain`](Self::with_domain).
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// static CHANGED: unboxed::sync::Notify = unboxed::sync::Notify::new();
    /// CHANGED.notify_one();
    /// ```
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self::with_domain()
    }
}

/// Tells those of earlier rounds.
fn step(inner: &mut Inner<State>) -> Option<Waker> {
    let round = inner.list.request()?;
    if round == inner.state.round {
        return None;
    }
    inner.list.serve(BY_ALL)
}

/// Tells those of earlier rounds, whom a `notify_all` is just telling, and then, if `one` says so, the first;
/// or stores it.
fn step_one(inner: &mut Inner<State>, one: &Cell<bool>) -> Option<Waker> {
    let earlier = step(inner);
    if earlier.is_some() || !one.take() {
        return earlier;
    }
    let next = inner.list.serve(BY_ONE);
    inner.state.stored |= next.is_none();
    next
}

impl<D: Domain> Notify<D> {
    crate::atomics::const_unless_loom! {
        /// One of the domain that its type names.
        ///
        /// ```
        /// # use unboxed_core as unboxed;
        /// use unboxed::sync::{Local, Notify};
        /// let changed: Notify<Local> = Notify::with_domain();
        /// changed.notify_all();
        /// ```
        pub fn with_domain() -> Self {
            Self { round: AtomicU32::new(0), state: Guarded::new(State { stored: false, round: 0 }) }
        }
    }

    /// Waits to be told: by a [`notify_all`](Self::notify_all) after this call, or by a
    /// [`notify_one`](Self::notify_one) that was stored, or that comes when it is this one's turn.
    ///
    /// # Cancel safety
    /// If it was told by `notify_one`, and is dropped before it saw that, the next one is told, or it is
    /// stored.
    ///
    /// # Fairness
    /// `notify_one` tells the one who was polled first.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// async fn wait(changed: &unboxed::sync::Notify) {
    ///     changed.notified().await;
    /// }
    /// # let _ = wait(&unboxed::sync::Notify::new());
    /// ```
    pub fn notified(&self) -> Notified<'_, D> {
        Notified { notify: self, round: self.round.load(Ordering::Relaxed), waiter: Waiter::new() }
    }

    /// Tells the first who waits. If nobody does, the next who asks is told at once; that is stored once, not
    /// counted.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use core::{future::Future, pin::pin, task::{Context, Waker}};
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let changed = unboxed::sync::Notify::new();
    /// changed.notify_one();
    /// changed.notify_one();
    /// assert!(pin!(changed.notified()).poll(&mut cx).is_ready());
    /// assert!(pin!(changed.notified()).poll(&mut cx).is_pending());
    /// ```
    pub fn notify_one(&self) {
        let one = Cell::new(true);
        self.state.serve(|_| (), |inner| step_one(inner, &one));
    }

    /// Tells all who wait, and all who hold a [`notified`](Self::notified) future that was not polled yet.
    /// Nothing is stored.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use core::{future::Future, pin::pin, task::{Context, Waker}};
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let changed = unboxed::sync::Notify::new();
    /// let earlier = changed.notified();
    /// changed.notify_all();
    /// assert!(pin!(earlier).poll(&mut cx).is_ready());
    /// assert!(pin!(changed.notified()).poll(&mut cx).is_pending());
    /// ```
    pub fn notify_all(&self) {
        let next_round = |inner: &mut Inner<State>| {
            inner.state.round = inner.state.round.wrapping_add(1);
            self.round.store(inner.state.round, Ordering::Relaxed);
        };
        self.state.serve(next_round, step);
    }
}

impl<D: Domain> Default for Notify<D> {
    fn default() -> Self {
        Self::with_domain()
    }
}

impl<D: Domain> fmt::Debug for Notify<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = self.state.with(|inner| inner.state.stored);
        f.debug_struct("Notify").field("stored", &stored).finish()
    }
}

/// See [`Notify::notified`].
#[must_use = "futures do nothing unless awaited"]
pub struct Notified<'a, D: Domain = Tasks> {
    notify: &'a Notify<D>,
    round: u32,
    waiter: Waiter,
}

impl<D: Domain> Future for Notified<'_, D> {
    type Output = ();

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { notify, round, .. } = *self;
        // SAFETY: WAIT-3: the waiter is pinned structurally.
        let waiter = unsafe { self.as_ref().map_unchecked(|notified| &notified.waiter) };
        let told = |inner: &mut Inner<State>| {
            let told = inner.state.round != round || core::mem::take(&mut inner.state.stored);
            told.then_some(BY_ALL)
        };
        waiter.poll(&notify.state, cx, round, told, |_| ())
    }
}

impl<D: Domain> Drop for Notified<'_, D> {
    fn drop(&mut self) {
        let one = Cell::new(false);
        let settle = |_: &mut Inner<State>, left| one.set(left == Left::Served(BY_ONE));
        self.waiter.leave_serving(&self.notify.state, settle, |inner| step_one(inner, &one));
    }
}

impl<D: Domain> fmt::Debug for Notified<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notified")
    }
}

#[cfg(all(test, loom))]
#[path = "notify_loom.rs"]
mod models;
