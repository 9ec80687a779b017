//! Waiting for the value of a once cell, or for the turn to make it.

use super::domain::{Domain, Tasks};
use super::guarded::Inner;
use super::leave::Left;
use super::once_cell::{OnceCell, State, TURN, begin, step};
use super::waiter::Waiter;
use crate::atomics::Ordering;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// See [`OnceCell::turn`].
#[must_use = "futures do nothing unless awaited"]
pub struct TakeTurn<'a, T, D: Domain = Tasks> {
    cell: &'a OnceCell<T, D>,
    waiter: Waiter,
}

impl<'a, T, D: Domain> TakeTurn<'a, T, D> {
    pub(super) fn new(cell: &'a OnceCell<T, D>) -> Self {
        Self { cell, waiter: Waiter::new() }
    }
}

impl<'a, T, D: Domain> Future for TakeTurn<'a, T, D> {
    type Output = Result<&'a T, Turn<'a, T, D>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let cell = self.cell;
        // SAFETY: WAIT-3: the waiter is pinned structurally.
        let waiter = unsafe { self.as_ref().map_unchecked(|future| &future.waiter) };
        let result = |answer| match answer {
            TURN => Err(Turn { cell }),
            _ => Ok(cell.made()),
        };
        waiter.poll(&cell.state, cx, 0, begin, result)
    }
}

impl<T, D: Domain> Drop for TakeTurn<'_, T, D> {
    fn drop(&mut self) {
        let settle = |inner: &mut Inner<State>, left| {
            if left == Left::Served(TURN) {
                inner.state = State::Empty;
            }
        };
        self.waiter.leave_serving(&self.cell.state, settle, step);
    }
}

impl<T, D: Domain> fmt::Debug for TakeTurn<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TakeTurn")
    }
}

/// The right to make the value; dropping it passes it on.
#[must_use = "a dropped turn goes to the next one"]
pub struct Turn<'a, T, D: Domain = Tasks> {
    cell: &'a OnceCell<T, D>,
}

impl<'a, T, D: Domain> Turn<'a, T, D> {
    /// For who was answered `TURN`.
    pub(super) fn new(cell: &'a OnceCell<T, D>) -> Self {
        Self { cell }
    }

    #[cfg(all(test, loom))]
    pub(super) fn cell(&self) -> &'a OnceCell<T, D> {
        self.cell
    }

    /// Sets the value, for those who wait as well; see [`OnceCell::turn`].
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use core::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let cell = unboxed::sync::OnceCell::new();
    /// let Poll::Ready(Err(turn)) = pin!(cell.turn()).poll(&mut cx) else { panic!() };
    /// assert_eq!(turn.set(1), &1);
    /// ```
    pub fn set(self, value: T) -> &'a T {
        let cell = self.cell;
        core::mem::forget(self);
        // SAFETY: ONCE-1: the turn is ours, and nobody reads yet. What is overwritten is None.
        unsafe { *cell.value.get() = Some(value) };
        cell.ready.store(true, Ordering::Release);
        cell.state.serve(|inner| inner.state = State::Set, step);
        cell.made()
    }
}

impl<T, D: Domain> fmt::Debug for Turn<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

impl<T, D: Domain> Drop for Turn<'_, T, D> {
    fn drop(&mut self) {
        self.cell.state.serve(|inner| inner.state = State::Empty, step);
    }
}
