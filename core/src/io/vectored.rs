//! One send from several pieces of the task's bytes.
//!
//! VEC-1: the pieces are parts of the running task's block (BYTES-1), so the slot in flight pins all of them
//! by pinning the block, and each knows the slot that it is lent to. An owned buffer would have to be kept by
//! the slot, which has room for one: use `write_all` for each of those.

use super::lend::{Lend, Slot};
use crate::event_loop::{Descriptor, IO_RANGES_MAX, IoRange};
use crate::file::{Direction, FileEntry, FileHandle, FileUse};
use crate::op::{Error, KeepVtable, OpHandle, Operation, Parts, RawBuf, SlotKind, SlotRef, more};
use crate::task::Bytes;
use core::future::Future;
use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

static KEEP_LANE: KeepVtable = KeepVtable { discard, more };

fn discard(_: RawBuf, result: i32, file: Option<&'static FileEntry>) {
    if let Some(file) = file {
        file.lane(Direction::Write).drained(result, false);
    }
}

/// A range of a task's bytes, to be sent with others; see [`Bytes::piece`].
#[derive(Debug)]
pub struct Piece<'a, 't> {
    bytes: &'a mut Bytes<'t>,
    range: Range<usize>,
}

impl<'t> Bytes<'t> {
    /// A range of these bytes as a piece of a vectored send.
    pub fn piece(&mut self, range: Range<usize>) -> Piece<'_, 't> {
        Piece { bytes: self, range }
    }
}

/// Sends the pieces in order with one operation; may take fewer bytes than there are, with `all` in as many
/// operations as it takes.
pub fn send_vectored<'a, 'b, 't, const N: usize>(
    file: impl Into<FileUse<'a>>,
    pieces: [Piece<'b, 't>; N],
    all: bool,
) -> SendVectored<'a, 'b, 't, N> {
    const { assert!(N > 0 && N <= IO_RANGES_MAX, "a vectored send has one to eight pieces") };
    SendVectored { file: file.into(), pieces, all, done: 0, handle: OpHandle::new() }
}

/// See [`send_vectored`].
///
/// # Errors
/// [`Error::OutOfRange`] for a piece beyond its bytes' end; [`Error::WriteZero`] when all is to be sent and the
/// system takes nothing; those of any write.
///
/// # Cancel safety
/// Dropping it cancels and waits for nothing; a part may have been sent. The stream's next write waits until
/// it has ended.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendVectored<'a, 'b, 't, const N: usize> {
    file: FileUse<'a>,
    pieces: [Piece<'b, 't>; N],
    all: bool,
    done: usize,
    handle: OpHandle,
}

impl<const N: usize> SendVectored<'_, '_, '_, N> {
    fn begin(&mut self, cx: &Context<'_>) -> Result<bool, Error> {
        let mut ranges = [IoRange { data: core::ptr::null_mut(), len: 0 }; IO_RANGES_MAX];
        let (mut count, mut skip) = (0, self.done);
        for Piece { bytes, range } in &mut self.pieces {
            let raw = bytes.lend();
            if range.start > range.end || range.end > raw.len as usize {
                return Err(Error::OutOfRange { end: range.end.max(range.start), len: raw.len as usize });
            }
            let skipped = skip.min(range.len());
            skip -= skipped;
            if range.len() > skipped {
                let data = raw.data.wrapping_add(range.start + skipped);
                ranges[count] = IoRange { data, len: range.len() - skipped };
                count += 1;
            }
        }
        if count == 0 {
            return Ok(false);
        }
        let op = Descriptor::SendVectored { file: self.file.handle.raw(), ranges, count: count as u8 };
        let file = Some(self.file.entry());
        let lane = self.file.lane(Direction::Write);
        let parts = Parts { raw: RawBuf::NONE, vtable: &KEEP_LANE, file, lane, kind: SlotKind::Keep };
        // SAFETY: IO-1 and VEC-1.
        unsafe { self.handle.begin(cx, &op, Some(parts)) }?;
        for piece in &mut self.pieces {
            piece.bytes.note(self.handle.slot().map(Slot));
        }
        Ok(true)
    }
}

impl<const N: usize> Future for SendVectored<'_, '_, '_, N> {
    type Output = Result<usize, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if this.handle.slot().is_none() {
                for piece in &mut this.pieces {
                    ready!(piece.bytes.poll_free(cx))?;
                }
                if let Some(late) = ready!(this.file.entry().lane(Direction::Write).poll_clear(cx)) {
                    return Poll::Ready(FileHandle::late_error(late).map(|n| n as usize));
                }
                return if this.begin(cx)? { Poll::Pending } else { Poll::Ready(Ok(this.done)) };
            }
            let outcome = ready!(this.handle.poll_end(cx))?;
            if outcome.again {
                continue;
            }
            let count = Error::check(outcome.result)? as usize;
            this.done += count;
            if !this.all {
                return Poll::Ready(Ok(count));
            }
            if count == 0 {
                return Poll::Ready(Err(Error::WriteZero));
            }
        }
    }
}

impl<const N: usize> Operation for SendVectored<'_, '_, '_, N> {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.handle.cancel(cx);
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        *output == Err(Error::Cancelled)
    }
}

impl<const N: usize> Drop for SendVectored<'_, '_, '_, N> {
    fn drop(&mut self) {
        // Where its task has ended, the slot may have told the lane already.
        if self.handle.slot().is_some_and(SlotRef::is_held) {
            self.file.entry().lane(Direction::Write).drain();
        }
    }
}
