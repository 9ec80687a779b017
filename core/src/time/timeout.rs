//! An operation with a time limit that loses nothing: it cancels, and awaits what came first.

use super::sleep::{Sleep, sleep};
use crate::op::Operation;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// The time was up, and the operation was cancelled without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl core::fmt::Display for Elapsed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the time limit was reached")
    }
}

impl core::error::Error for Elapsed {}

/// Runs an operation, and cancels it when the time is up. A result that came before the cancel is
/// returned, so nothing is lost. The timer and the operation use one op slot each.
///
/// # Errors
/// [`Elapsed`] when the cancel came first.
///
/// # Cancel safety
/// That of the operation.
pub fn timeout<O: Operation>(duration: Duration, operation: O) -> Timeout<O> {
    Timeout { operation, timer: sleep(duration), expired: false }
}

/// See [`timeout`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Timeout<O> {
    operation: O,
    timer: Sleep,
    expired: bool,
}

impl<O: Operation> Future for Timeout<O> {
    type Output = Result<O::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: `operation` is pinned structurally, the rest is `Unpin`; there is no drop of our own.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above.
        let mut operation = unsafe { Pin::new_unchecked(&mut this.operation) };
        if let Poll::Ready(output) = operation.as_mut().poll(cx) {
            return finish::<O>(this.expired, output);
        }
        if !this.expired {
            match Pin::new(&mut this.timer).poll(cx) {
                Poll::Pending => return Poll::Pending,
                // A timer that cannot be had is a limit that cannot be kept: the operation ends now.
                Poll::Ready(Ok(()) | Err(_)) => this.expired = true,
            }
        }
        operation.as_mut().request_cancel(cx);
        match operation.as_mut().poll(cx) {
            Poll::Ready(output) => finish::<O>(true, output),
            Poll::Pending => {
                // The poll may have begun it again, after a full loop.
                operation.request_cancel(cx);
                Poll::Pending
            }
        }
    }
}

fn finish<O: Operation>(expired: bool, output: O::Output) -> Poll<Result<O::Output, Elapsed>> {
    Poll::Ready(if expired && O::was_cancelled(&output) { Err(Elapsed) } else { Ok(output) })
}
