//! The operation that does nothing: for measuring, and for a turn through the loop.

use super::error::Error;
use super::handle::OpHandle;
use super::operation::Operation;
use crate::event_loop::Descriptor;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Goes through the loop once and does nothing.
///
/// # Cancel safety
/// There is nothing to lose.
pub fn nop() -> Nop {
    Nop { handle: OpHandle::new() }
}

/// See [`nop`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Nop {
    handle: OpHandle,
}

impl Future for Nop {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.handle.slot().is_none() {
            if self.begin(cx) {
                return Poll::Pending;
            }
        } else if self.handle.take_ready().is_some() {
            return Poll::Ready(Ok(()));
        }
        self.poll_unusual(cx)
    }
}

impl Nop {
    /// Apart, since it is many instructions that each `await` would repeat.
    #[inline(never)]
    fn begin(&mut self, cx: &Context<'_>) -> bool {
        // SAFETY: R0: a no-op names no memory.
        unsafe { self.handle.begin_commonly(cx, &Descriptor::Nop, None) }
    }

    /// All but the common begin and the common end.
    #[inline(never)]
    fn poll_unusual(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        if self.handle.slot().is_some() {
            let outcome = core::task::ready!(self.handle.poll_end(cx))?;
            if !outcome.again {
                return Poll::Ready(Error::check(outcome.result).map(|_| ()));
            }
        }
        // SAFETY: R0: a no-op names no memory.
        unsafe { self.handle.begin(cx, &Descriptor::Nop, None) }?;
        Poll::Pending
    }
}

impl Operation for Nop {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.handle.cancel(cx);
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        *output == Err(Error::Cancelled)
    }
}
