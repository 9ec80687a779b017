//! One of several futures that are polled together: the future, and then its output, in the same place.

use crate::op::Operation;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

pub(super) enum Branch<F: Future> {
    Pending(F),
    Done(F::Output),
    Taken,
}

impl<F: Future> core::fmt::Debug for Branch<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Pending(_) => "Pending",
            Self::Done(_) => "Done",
            Self::Taken => "Taken",
        })
    }
}

impl<F: Future> Branch<F> {
    /// BRANCH-1: the future is pinned where it is; it is dropped there when the output takes its place.
    fn future(self: Pin<&mut Self>) -> Option<Pin<&mut F>> {
        // SAFETY: BRANCH-1.
        match unsafe { self.get_unchecked_mut() } {
            // SAFETY: BRANCH-1.
            Self::Pending(future) => Some(unsafe { Pin::new_unchecked(future) }),
            Self::Done(_) | Self::Taken => None,
        }
    }

    /// Whether it has ended, now or before.
    #[inline]
    pub fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let Some(future) = self.as_mut().future() else { return true };
        match future.poll(cx) {
            Poll::Pending => false,
            Poll::Ready(output) => {
                self.set(Self::Done(output));
                true
            }
        }
    }

    /// Asks that it end soon, if it has not ended.
    pub fn request_cancel(self: Pin<&mut Self>, cx: &mut Context<'_>)
    where
        F: Operation,
    {
        if let Some(future) = self.future() {
            future.request_cancel(cx);
        }
    }

    /// Cancels, and looks whether that ended it.
    pub fn poll_cancelled(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool
    where
        F: Operation,
    {
        self.as_mut().request_cancel(cx);
        let ended = self.as_mut().poll(cx);
        if !ended {
            // The poll may have begun it again, after a full loop.
            self.request_cancel(cx);
        }
        ended
    }

    /// The output of one that has ended.
    ///
    /// # Panics
    /// When it was taken before.
    pub fn take(mut self: Pin<&mut Self>) -> F::Output {
        // SAFETY: BRANCH-1: a pending future is not moved, and an output is not pinned.
        let this = unsafe { self.as_mut().get_unchecked_mut() };
        if let Self::Pending(_) = this {
            unreachable!("taken from a branch that has not ended");
        }
        match core::mem::replace(this, Self::Taken) {
            Self::Done(output) => output,
            _ => panic!("polled after its end"),
        }
    }
}
