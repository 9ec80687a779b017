//! The operation that does nothing: for measuring, and for a turn through the loop.

use super::error::Error;
use super::handle::{OpHandle, Operation};
use crate::event_loop::Descriptor;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Goes through the loop once and does nothing.
///
/// # Cancel safety
/// There is nothing to lose.
pub fn nop() -> Nop {
    Nop { handle: OpHandle::new(), begun: false }
}

/// See [`nop`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Nop {
    handle: OpHandle,
    begun: bool,
}

impl Future for Nop {
    type Output = Result<(), Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            if !self.begun {
                // SAFETY: R0: a no-op names no memory.
                if let Err(error) = unsafe { self.handle.begin(cx, &Descriptor::Nop, None) } {
                    return Poll::Ready(Err(error));
                }
                self.begun = true;
                return Poll::Pending;
            }
            match core::task::ready!(self.handle.poll_end(cx))? {
                Some(outcome) => return Poll::Ready(Error::check(outcome.result).map(|_| ())),
                None => self.begun = false,
            }
        }
    }
}

impl Operation for Nop {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        if self.begun {
            self.handle.cancel(cx);
        }
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        *output == Err(Error::Cancelled)
    }
}
