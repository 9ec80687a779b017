//! A stream's read half with a pool buffer of its own, whose read stays armed across dropped futures.
//!
//! READER-1: while a read is armed its slot, the file entry's own, holds the buffer's raw parts; the kernel
//! writes from `end` on, the reader shows `start..end`, so they never meet. READER-2: the reader is the only
//! user of the entry's slot; its drop abandons the read, and the buffer goes back at the terminal
//! completion. Nothing is moved within the buffer while a read is armed.

use crate::buf::{IoBuf, Lease};
use crate::event_loop::Descriptor;
use crate::file::{Direction, FileEntry, FileHandle};
use crate::op::{Error, KeepVtable, OpHandle, Operation, Parts, RawBuf, SlotKind, SlotRef, more, place};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

static KEEP_LEASE: KeepVtable = KeepVtable { discard, more };

fn discard(raw: RawBuf, _: i32, _: Option<&'static FileEntry>) {
    // SAFETY: KEEP-1; the parts are a lease's.
    drop(unsafe { Lease::from_raw(raw) });
}

/// Buffered reads from a socket, with nothing cancelled, copied or lost when a future is dropped.
#[derive(Debug)]
pub struct Reader {
    file: FileHandle,
    raw: RawBuf,
    start: u32,
    end: u32,
    handle: OpHandle,
}

// SAFETY: READER-1; the raw parts are a lease's, which is Send.
unsafe impl Send for Reader {}

impl Reader {
    /// A reader of `file` over `buffer`. Other reads of the same file must not be mixed with it: they would
    /// take bytes out of the middle.
    ///
    /// # Panics
    /// When the file has a reader already.
    pub fn new(file: FileHandle, buffer: Lease) -> Self {
        file.entry().claim_slot();
        let raw = buffer.into_raw();
        Self { file, raw, start: 0, end: 0, handle: OpHandle::new() }
    }

    /// The file.
    pub fn file(&self) -> &FileHandle {
        &self.file
    }

    /// The bytes that have arrived and are not consumed.
    pub fn buffered(&self) -> &[u8] {
        let data = self.raw.data.wrapping_add(self.start as usize);
        // SAFETY: READER-1.
        unsafe { core::slice::from_raw_parts(data, (self.end - self.start) as usize) }
    }

    /// How many bytes the buffer holds at most.
    pub fn capacity(&self) -> usize {
        self.raw.capacity as usize
    }

    /// The first `count` buffered bytes are done with.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.buffered().len(), "unboxed: consumed more than is buffered");
        self.start += count as u32;
    }

    /// Waits for more bytes behind the buffered ones; how many came, zero at the end of the stream.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when the buffer is full of unconsumed bytes; the system's.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: the read stays armed, and the next `fill` takes over what it brings.
    pub fn fill(&mut self) -> Fill<'_> {
        Fill { reader: self }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        loop {
            if self.handle.slot().is_none() && !self.arm(cx)? {
                return Poll::Pending;
            }
            let outcome = ready!(self.handle.poll_end(cx))?;
            if !outcome.again {
                let count = Error::check(outcome.result)?;
                self.end += count;
                return Poll::Ready(Ok(count as usize));
            }
        }
    }

    fn arm(&mut self, cx: &Context<'_>) -> Result<bool, Error> {
        let entry = self.file.entry();
        if !entry.slot().is_free() {
            // An earlier reader's, on its way out.
            SlotRef::of(entry.slot()).wake_at_end(cx);
            return Ok(false);
        }
        let place = place()?;
        self.make_room()?;
        let data = self.raw.data.wrapping_add(self.end as usize);
        let op = Descriptor::Recv { file: entry.raw(), data, len: self.raw.capacity - self.end };
        let file = Some(entry);
        let lane = self.file.has_lane(Direction::Read).then_some(Direction::Read);
        let parts = Parts { raw: self.raw, vtable: &KEEP_LEASE, file, lane, kind: SlotKind::Keep };
        let waker = cx.waker().clone();
        // SAFETY: READER-2: the slot is free and ours; READER-1; R4: the entry counts the operation.
        unsafe {
            self.handle.begin_in(place, entry.slot(), waker, &op, Some(parts));
        }
        Ok(true)
    }

    fn make_room(&mut self) -> Result<(), Error> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.raw.capacity {
            let len = self.end - self.start;
            if self.start == 0 {
                let len = len as usize;
                return Err(Error::OutOfRange { end: len + 1, len });
            }
            let from = self.raw.data.wrapping_add(self.start as usize);
            // SAFETY: READER-2: nothing is armed, so the whole buffer is ours.
            unsafe { core::ptr::copy(from, self.raw.data, len as usize) };
            (self.start, self.end) = (0, len);
        }
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.handle.slot().is_some() {
            // READER-2: the slot discards the parts.
            self.handle.abandon();
        } else {
            // SAFETY: no read is armed, so the parts are ours.
            drop(unsafe { Lease::from_raw(self.raw) });
        }
        self.file.entry().unclaim_slot();
    }
}

/// See [`Reader::fill`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Fill<'a> {
    reader: &'a mut Reader,
}

impl Future for Fill<'_> {
    type Output = Result<usize, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.reader.poll_fill(cx)
    }
}

impl Operation for Fill<'_> {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.reader.handle.cancel(cx);
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        *output == Err(Error::Cancelled)
    }
}
