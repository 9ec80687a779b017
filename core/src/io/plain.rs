//! Operations on a file that move no bytes: connect, shutdown, fsync, poll.

use crate::event_loop::Descriptor;
use crate::file::FileHandle;
use crate::op::{Error, KEEP_FILE, OpHandle, Operation, Parts, RawBuf, SlotKind};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// An operation of `file`, made from its descriptor's number.
///
/// # Safety
/// What `make` builds names no memory, and no file but the one whose number it is given.
pub unsafe fn file_op(file: &FileHandle, make: impl FnOnce(i32) -> Descriptor) -> FileOp<'_> {
    FileOp { file, op: make(file.raw()), handle: OpHandle::new() }
}

/// See [`file_op`].
///
/// # Cancel safety
/// Dropping it cancels and waits for nothing; a connect leaves the socket in an unknown state.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct FileOp<'a> {
    file: &'a FileHandle,
    op: Descriptor,
    handle: OpHandle,
}

// SAFETY: the descriptor names no memory.
unsafe impl Send for FileOp<'_> {}

impl Future for FileOp<'_> {
    type Output = Result<u32, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.handle.slot().is_some() {
            let outcome = ready!(self.handle.poll_end(cx))?;
            if !outcome.again {
                return Poll::Ready(Error::check(outcome.result));
            }
        }
        let file = Some(self.file.entry());
        let parts = Parts { raw: RawBuf::NONE, vtable: &KEEP_FILE, file, lane: None, kind: SlotKind::Keep };
        let this = &mut *self;
        // SAFETY: by the contract of `file_op`.
        unsafe { this.handle.begin(cx, &this.op, Some(parts)) }?;
        Poll::Pending
    }
}

impl Operation for FileOp<'_> {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.handle.cancel(cx);
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        *output == Err(Error::Cancelled)
    }
}
