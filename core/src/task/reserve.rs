//! Waiting for a block of a pool.

use super::line::Waiter;
use super::spawn::{Pool, Reservation};
use core::cell::Cell;
use core::future::Future;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Waits for a block; see [`Pool::reserve`].
///
/// # Cancel safety
/// Dropping it loses nothing but its place in the line.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Reserve<A, T> {
    pool: Pool<A, T>,
    waiter: Waiter,
    /// Polled before: the waiter may be in the line, or have been handed a block.
    waits: Cell<bool>,
    _pinned: PhantomPinned,
}

// SAFETY: WAITER-2.
unsafe impl<A, T> Send for Reserve<A, T> {}

impl<A, T> Reserve<A, T> {
    pub(super) fn new(pool: Pool<A, T>) -> Self {
        Self { pool, waiter: Waiter::new(), waits: Cell::new(false), _pinned: PhantomPinned }
    }
}

impl<A, T> Future for Reserve<A, T> {
    type Output = Reservation<A, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = cx.waker().clone();
        let this = self.into_ref().get_ref();
        let pool = this.pool;
        // First, since the drop of an old waker, which is foreign code, may panic.
        this.waits.set(true);
        // SAFETY: WAITER-1: pinned, and the drop leaves the line.
        match unsafe { pool.control.claim_or_wait(pool.info, &this.waiter, waker) } {
            Some(task) => {
                this.waits.set(false);
                Poll::Ready(Reservation::new(pool, task))
            }
            None => Poll::Pending,
        }
    }
}

impl<A, T> Drop for Reserve<A, T> {
    fn drop(&mut self) {
        if self.waits.get() {
            self.pool.control.leave(&self.waiter);
        }
    }
}
