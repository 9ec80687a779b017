//! One read or write, and a write of everything.

use super::lend::{IntoLend, Lend, Slot};
use super::part::Part;
use crate::event_loop::Descriptor;
use crate::file::{Direction, FileEntry, FileHandle, FileUse};
use crate::op::{Error, KeepVtable, OpHandle, Operation, Parts, RawBuf, SlotKind, SlotRef, more};
use core::future::Future;
use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// Which system operation moves the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferKind {
    /// From a socket.
    Recv,
    /// To a socket.
    Send,
    /// To a socket, without a copy.
    SendZeroCopy,
    /// From a file, at a position in bytes.
    ReadAt(u64),
    /// To a file, at a position in bytes.
    WriteAt(u64),
}

/// A kind without the hole between its number and its position.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Way {
    Recv,
    Send,
    SendZeroCopy,
    ReadAt,
    WriteAt,
}

impl Way {
    fn of(kind: TransferKind) -> (Self, u64) {
        match kind {
            TransferKind::Recv => (Self::Recv, 0),
            TransferKind::Send => (Self::Send, 0),
            TransferKind::SendZeroCopy => (Self::SendZeroCopy, 0),
            TransferKind::ReadAt(position) => (Self::ReadAt, position),
            TransferKind::WriteAt(position) => (Self::WriteAt, position),
        }
    }

    fn direction(self) -> Direction {
        match self {
            Self::Recv | Self::ReadAt => Direction::Read,
            Self::Send | Self::SendZeroCopy | Self::WriteAt => Direction::Write,
        }
    }

    fn descriptor(self, offset: u64, file: i32, data: *mut u8, len: u32) -> Descriptor {
        match self {
            Self::Recv => Descriptor::Recv { file, data, len },
            Self::Send => Descriptor::Send { file, data, len },
            Self::SendZeroCopy => Descriptor::SendZeroCopy { file, data, len },
            Self::ReadAt => Descriptor::Read { file, data, len, offset },
            Self::WriteAt => Descriptor::Write { file, data, len, offset },
        }
    }
}

/// How a dropped transfer ends: the buffer freed, the lane told. `LOSES`: bytes that it brought are nowhere else.
struct Keep<L, const READ: bool, const LOSES: bool>(L);

impl<L: Lend, const READ: bool, const LOSES: bool> Keep<L, READ, LOSES> {
    const VTABLE: KeepVtable = KeepVtable { discard: Self::discard, more };

    unsafe fn discard(raw: RawBuf, result: i32, file: Option<&'static FileEntry>) {
        // SAFETY: KEEP-1.
        unsafe { L::discard(raw) };
        if let Some(file) = file {
            let direction = if READ { Direction::Read } else { Direction::Write };
            file.lane(direction).drained(result, LOSES);
        }
    }
}

/// One read into, or one write from, `buffer`.
///
/// A read fills the buffer from its beginning and may bring fewer bytes; zero is the end. A write sends the
/// bytes that hold a value and may take fewer.
///
/// A file that is borrowed alone (`&mut`) has one transfer of each direction at a time, which costs it no counting; one
/// that is shared has any number.
pub fn transfer<'a, B: IntoLend>(
    file: impl Into<FileUse<'a>>,
    kind: TransferKind,
    buffer: B,
) -> Transfer<'a, B::Lend> {
    let (file, (way, position)) = (file.into(), Way::of(kind));
    Transfer {
        file: file.handle,
        lane: file.lane(way.direction()),
        way,
        position,
        part: Part::ALL,
        lender: Some(buffer.into_lend()),
        handle: OpHandle::new(),
        len_before: 0,
    }
}

/// See [`transfer`].
///
/// # Errors
/// The system's; [`Error::BytesDropped`] when bytes had arrived for a read that was dropped; those of any
/// operation.
///
/// # Cancel safety
/// Dropping it cancels and waits for nothing. The file's next operation of the same direction waits until
/// this one has ended, and reports bytes that were lost. With `timeout` or `cancel` nothing is lost.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Transfer<'a, L: Lend> {
    file: &'a FileHandle,
    /// The file's lane, if it is this operation's alone.
    lane: Option<Direction>,
    way: Way,
    /// In the file, where that has positions; `u64::MAX` is the one that it keeps itself.
    position: u64,
    part: Part,
    lender: Option<L>,
    handle: OpHandle,
    len_before: u32,
}

const _: () = assert!(size_of::<Transfer<'_, &mut crate::task::Bytes<'_>>>() == 56);
const _: () = assert!(size_of::<WriteAll<'_, &mut crate::task::Bytes<'_>>>() == 64, "a cache line");

impl<L: Lend> Unpin for Transfer<'_, L> {}

impl<L: Lend> Transfer<'_, L> {
    /// Uses only the first `len` bytes of the buffer.
    pub fn first(self, len: usize) -> Self {
        self.range(0..len)
    }

    /// Uses only these bytes of the buffer.
    pub fn range(mut self, range: Range<usize>) -> Self {
        self.part = Part::of(range);
        self
    }

    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        loop {
            if self.handle.slot().is_some() {
                let mut outcome = ready!(self.handle.poll_end(cx))?;
                if outcome.again {
                    self.take_back(outcome.raw);
                    continue;
                }
                let result = Error::check(outcome.result);
                if let (Ok(count), Direction::Read) = (result, self.way.direction()) {
                    let start = self.part.start();
                    if start <= self.len_before {
                        outcome.raw.len = self.len_before.max(start + count);
                    }
                }
                self.take_back(outcome.raw);
                return Poll::Ready(result.map(|n| n as usize));
            }
            let lender = self.lender.as_mut().expect("unboxed: a transfer was polled after its end");
            ready!(lender.poll_free(cx))?;
            let lane = self.file.entry().lane(self.way.direction());
            if let Some(late) = ready!(lane.poll_clear(cx)) {
                return Poll::Ready(FileHandle::late_error(late).map(|n| n as usize));
            }
            self.begin(cx)?;
            return Poll::Pending;
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let lender = self.lender.as_mut().expect("unboxed: a transfer was polled after its end");
        let raw = lender.lend();
        let reads = self.way.direction() == Direction::Read;
        let all = if reads { raw.capacity } else { raw.len };
        let begun = match self.part.within(all) {
            Err(error) => Err(error),
            Ok(range) => {
                self.len_before = raw.len;
                let data = raw.data.wrapping_add(range.start as usize);
                let op = self.way.descriptor(self.position, self.file.raw(), data, range.end - range.start);
                let vtable = match self.way {
                    Way::ReadAt if self.position != u64::MAX => const { &Keep::<L, true, false>::VTABLE },
                    _ if reads => const { &Keep::<L, true, true>::VTABLE },
                    _ => const { &Keep::<L, false, false>::VTABLE },
                };
                let (file, lane) = (Some(self.file.entry()), self.lane);
                let parts = Parts { raw, vtable, file, lane, kind: SlotKind::Keep };
                // SAFETY: IO-1.
                unsafe { self.handle.begin(cx, &op, Some(parts)) }
            }
        };
        match begun {
            Ok(()) => lender.note(self.handle.slot().map(Slot)),
            // SAFETY: nothing took them.
            Err(_) => unsafe { lender.take_back(raw) },
        }
        begun
    }

    fn take_back(&mut self, raw: RawBuf) {
        if let Some(lender) = self.lender.as_mut() {
            // SAFETY: the slot gave the parts back, once.
            unsafe { lender.take_back(raw) };
        }
    }
}

impl<L: Lend> Future for Transfer<'_, L> {
    type Output = L::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<L::Output> {
        let result = ready!(self.poll_result(cx));
        let lender = self.lender.take().expect("unboxed: a transfer was polled after its end");
        Poll::Ready(lender.output(result))
    }
}

impl<L: Lend> Operation for Transfer<'_, L> {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.handle.cancel(cx);
    }

    fn was_cancelled(output: &L::Output) -> bool {
        *L::result(output) == Err(Error::Cancelled)
    }
}

impl<L: Lend> Drop for Transfer<'_, L> {
    fn drop(&mut self) {
        // Where its task has ended, the slot may have told the lane already.
        if self.handle.slot().is_some_and(SlotRef::is_held) {
            self.file.entry().lane(self.way.direction()).drain();
        }
    }
}

/// Writes all bytes of `buffer` that hold a value, in as many operations as it takes.
///
/// # Errors
/// [`Error::WriteZero`] when the system takes nothing, and those of a [`Transfer`].
///
/// # Cancel safety
/// A dropped or cancelled one may have written a part.
pub fn write_all<'a, B: IntoLend>(
    file: impl Into<FileUse<'a>>,
    kind: TransferKind,
    buffer: B,
) -> WriteAll<'a, B::Lend> {
    WriteAll { transfer: transfer(file, kind, buffer), done: 0 }
}

/// See [`write_all`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAll<'a, L: Lend> {
    transfer: Transfer<'a, L>,
    done: u32,
}

impl<L: Lend> WriteAll<'_, L> {
    /// Writes only the first `len` bytes of the buffer.
    pub fn first(self, len: usize) -> Self {
        self.range(0..len)
    }

    /// Writes only these bytes of the buffer.
    pub fn range(mut self, range: Range<usize>) -> Self {
        self.transfer.part = Part::of(range);
        self
    }

    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        loop {
            if self.transfer.part.is_all() && self.transfer.handle.slot().is_none() {
                // What holds a value now is what is to be written.
                let lender = self.transfer.lender.as_mut();
                let lender = lender.expect("unboxed: a transfer was polled after its end");
                ready!(lender.poll_free(cx))?;
                let raw = lender.lend();
                // SAFETY: it was just given.
                unsafe { lender.take_back(raw) };
                self.transfer.part = Part::first(raw.len);
            }
            if self.transfer.part.is_empty() {
                return Poll::Ready(Ok(self.done as usize));
            }
            let count = ready!(self.transfer.poll_result(cx))?;
            if count == 0 {
                return Poll::Ready(Err(Error::WriteZero));
            }
            self.done += count as u32;
            self.transfer.part.skip(count as u32);
            let position = &mut self.transfer.position;
            if matches!(self.transfer.way, Way::WriteAt) && *position != u64::MAX {
                *position += count as u64;
            }
        }
    }
}

impl<L: Lend> Future for WriteAll<'_, L> {
    type Output = L::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<L::Output> {
        let result = ready!(self.poll_all(cx));
        let lender = self.transfer.lender.take();
        Poll::Ready(lender.expect("unboxed: a transfer was polled after its end").output(result))
    }
}

impl<L: Lend> Operation for WriteAll<'_, L> {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.transfer.handle.cancel(cx);
    }

    fn was_cancelled(output: &L::Output) -> bool {
        *L::result(output) == Err(Error::Cancelled)
    }
}
