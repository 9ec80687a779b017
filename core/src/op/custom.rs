//! The operation of a loop of one's own.

use super::error::Error;
use super::handle::OpHandle;
use super::operation::Operation;
use crate::event_loop::Descriptor;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// An operation that only the user's own [`EventLoop`](crate::event_loop::EventLoop) knows:
/// [`Descriptor::Custom`] with this code and these arguments. Its output is the completion's result.
///
/// ```
/// # use unboxed_core as unboxed;
/// # thread_local!(static CURRENT: core::cell::Cell<*const unboxed::exec::Worker> = const { core::cell::Cell::new(core::ptr::null()) });
/// # unboxed::current_worker_cell!(unsafe CURRENT.with(core::ptr::from_ref));
/// use unboxed::op::{Custom, custom};
///
/// const CODE_ALARM: u32 = 1;
///
/// /// Ends after so many ticks; the output is the tick.
/// fn alarm(ticks: u64) -> Custom {
///     // SAFETY: the arguments name no memory.
///     unsafe { custom(CODE_ALARM, [ticks, 0, 0, 0]) }
/// }
/// # let _ = alarm(1);
/// ```
///
/// # Errors
/// Its future gives what the loop answers as a negative number, as [`Error::Os`] or [`Error::Cancelled`], and what
/// any operation gives. A loop that does not know the code answers that it is not supported: the ring by EOPNOTSUPP.
///
/// # Cancel safety
/// Dropping it cancels and waits for nothing; whether something is lost is the loop's to say.
///
/// # Safety
/// Memory that the loop takes the arguments to name stays valid until the terminal completion, whatever becomes of the
/// future (R0): it is static, or there is none.
pub unsafe fn custom(code: u32, args: [u64; 4]) -> Custom {
    Custom { code, args, handle: OpHandle::new() }
}

/// See [`custom`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Custom {
    code: u32,
    args: [u64; 4],
    handle: OpHandle,
}

impl Future for Custom {
    type Output = Result<u32, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.handle.slot().is_some() {
            let outcome = ready!(self.handle.poll_end(cx))?;
            if !outcome.again {
                return Poll::Ready(Error::check(outcome.result));
            }
        }
        let op = Descriptor::Custom { code: self.code, args: self.args };
        // SAFETY: R0, by the contract of `custom`.
        unsafe { self.handle.begin(cx, &op, None) }?;
        Poll::Pending
    }
}

impl Operation for Custom {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.handle.cancel(cx);
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        *output == Err(Error::Cancelled)
    }
}
