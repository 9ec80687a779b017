//! The receiving half of a oneshot, and waiting for its value.

use super::error::RecvError;
use super::oneshot::{Half, Oneshot, State};
use crate::sync::{Domain, Inner, Tasks, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Receives the one value of a round. A value that it did not take is dropped with it.
pub struct OneshotReceiver<'a, T, D: Domain = Tasks> {
    place: &'a Oneshot<T, D>,
}

impl<'a, T, D: Domain> OneshotReceiver<'a, T, D> {
    /// For who claimed the half.
    pub(super) fn new(place: &'a Oneshot<T, D>) -> Self {
        Self { place }
    }

    /// Waits for the value.
    ///
    /// # Errors
    /// [`RecvError::Closed`] when the sender is gone without sending, or the value was received before;
    /// [`RecvError::Cancelled`].
    ///
    /// # Cancel safety
    /// A dropped future leaves the value where it is, for the next call.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::OneshotReceiver;
    ///
    /// async fn answer(mut receiver: OneshotReceiver<'_, u32>) -> Option<u32> {
    ///     receiver.recv().await.ok()
    /// }
    /// # let _ = answer;
    /// ```
    pub fn recv(&mut self) -> OneshotRecv<'_, T, D> {
        OneshotRecv { place: self.place, waiter: Waiter::new(), cancelled: false }
    }

    /// The value, if it is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`], [`RecvError::Closed`].
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::{Oneshot, RecvError};
    ///
    /// let answer = Oneshot::<u32>::new();
    /// let mut receiver = answer.receiver().unwrap();
    /// assert_eq!(receiver.try_recv(), Err(RecvError::Empty));
    /// drop(answer.sender());
    /// assert_eq!(receiver.try_recv(), Err(RecvError::Closed));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, RecvError> {
        self.place.guarded.with(|place| place.receive()).unwrap_or(Err(RecvError::Empty))
    }
}

impl<T, D: Domain> Drop for OneshotReceiver<'_, T, D> {
    fn drop(&mut self) {
        let value = self.place.guarded.with(|place| {
            place.state.receiver = Half::Gone;
            let value = place.state.value.take();
            place.end_round();
            value
        });
        drop(value);
    }
}

impl<T, D: Domain> fmt::Debug for OneshotReceiver<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneshotReceiver")
    }
}

/// See [`OneshotReceiver::recv`].
#[must_use = "futures do nothing unless awaited"]
pub struct OneshotRecv<'a, T, D: Domain = Tasks> {
    place: &'a Oneshot<T, D>,
    waiter: Waiter,
    cancelled: bool,
}

impl<T, D: Domain> Future for OneshotRecv<'_, T, D> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        if this.cancelled && !this.waiter.is_waiting() {
            return Poll::Ready(Err(RecvError::Cancelled));
        }
        let receive = |place: &mut Inner<State<T>>, (): &mut ()| place.receive();
        let served =
            |place: &mut Inner<State<T>>, (): &mut (), _| place.receive().unwrap_or(Err(RecvError::Closed));
        // SAFETY: the waiter is pinned structurally.
        let waiter = unsafe { Pin::new_unchecked(&this.waiter) };
        let guarded = &this.place.guarded;
        waiter.poll_in(guarded, Inner::list, cx, core::ptr::null(), &mut (), receive, served)
    }
}

impl<T, D: Domain> OneshotRecv<'_, T, D> {
    /// Leaves the line; what it was served is still its own.
    #[cfg_attr(loom, allow(dead_code))]
    pub(super) fn withdraw(self: Pin<&mut Self>) {
        // SAFETY: nothing is moved.
        let this = unsafe { self.get_unchecked_mut() };
        this.cancelled = true;
        this.waiter.withdraw(&this.place.guarded, Inner::list);
    }
}

#[cfg(not(loom))]
impl<T, D: Domain> crate::op::Operation for OneshotRecv<'_, T, D> {
    fn request_cancel(self: Pin<&mut Self>, _: &mut Context<'_>) {
        self.withdraw();
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        matches!(output, Err(RecvError::Cancelled))
    }
}

impl<T, D: Domain> Drop for OneshotRecv<'_, T, D> {
    fn drop(&mut self) {
        self.waiter.leave(&self.place.guarded, |_, _| None);
    }
}

impl<T, D: Domain> fmt::Debug for OneshotRecv<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneshotRecv")
    }
}
