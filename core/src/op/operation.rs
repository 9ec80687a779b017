//! What every operation's future can do beside being awaited.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// An operation that can be cancelled and awaited. `timeout` and `cancel` take these.
pub trait Operation: Future {
    /// Asks that it end soon. Poll it to its end afterwards: it gives its result, or a cancelled one.
    fn request_cancel(self: Pin<&mut Self>, cx: &mut Context<'_>);

    /// Whether an output says that the cancel came first.
    fn was_cancelled(output: &Self::Output) -> bool;

    /// Cancels, and waits for whichever came first: the result or the cancel.
    fn cancel(self) -> Cancelled<Self>
    where
        Self: Sized,
    {
        Cancelled { operation: self }
    }
}

/// See [`Operation::cancel`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Cancelled<O> {
    operation: O,
}

impl<O: Operation> Future for Cancelled<O> {
    type Output = O::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        // SAFETY: a structural projection; `Cancelled` has no drop of its own and is `Unpin` only if `O` is.
        let mut operation = unsafe { self.map_unchecked_mut(|c| &mut c.operation) };
        operation.as_mut().request_cancel(cx);
        let output = operation.as_mut().poll(cx);
        if output.is_pending() {
            // The poll may have begun it, for the first time or again after a full loop.
            operation.request_cancel(cx);
        }
        output
    }
}
