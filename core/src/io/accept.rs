//! Accepting connections. The armed accept lies in the listener's entry, not in the future: a dropped one
//! stays armed, and the next one takes over what it brings.
//!
//! ACCEPT-1: at most one accept of a listener is armed; its slot is the entry's, which a handle of the
//! listener keeps; only the one `&mut` user of the listener begins or takes it. ACCEPT-2: nobody waits for
//! an armed accept whose listener is gone: the listener's drop cancels it, and a late descriptor is closed
//! with the entry. ACCEPT-4: a connection is taken out of the slot only by one who has an entry for it.

use crate::event_loop::Descriptor;
use crate::file::{FileEntry, FileHandle, TableControl};
use crate::op::{Adopted, Error, KeepVtable, OpHandle, Operation, Parts, RawBuf, SlotKind, more, place};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::incoming::Incoming;

static KEEP_ACCEPT: KeepVtable = KeepVtable { discard, more };

/// A connection that nobody waits for goes to the listener's late list, which its close empties.
pub(super) fn discard(_: RawBuf, result: i32, file: Option<&'static FileEntry>) {
    if let (Some(file), 0..) = (file, result) {
        // SAFETY: R4: the accept brought it, and its holder is gone.
        unsafe { file.keep_late(result) };
    }
}

/// A listening socket. Dropping it cancels its armed accept and closes it.
#[derive(Debug)]
pub struct Listener {
    file: FileHandle,
}

impl Listener {
    /// A listener of that socket.
    ///
    /// # Panics
    /// When the socket has one already.
    pub fn new(file: FileHandle) -> Self {
        file.entry().claim_slot();
        Self { file }
    }

    /// The socket.
    pub fn file(&self) -> &FileHandle {
        &self.file
    }

    /// The next connection, with an entry of `table` for it.
    pub fn accept(&mut self, table: &'static TableControl) -> Accept<'_> {
        let listener = &mut self.file;
        Accept { listener, table, handle: OpHandle::new() }
    }

    /// A stream of connections, with entries of the listener's own table for them.
    pub fn incoming(&mut self) -> Incoming<'_> {
        Incoming::new(&mut self.file)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut armed = OpHandle::new();
        // ACCEPT-2; what is taken over and dropped is abandoned.
        armed.adopt(self.file.entry().slot());
        drop(armed);
        self.file.entry().unclaim_slot();
    }
}

/// See [`Listener::accept`].
///
/// # Errors
/// [`Error::TableFull`] before a connection is taken from the system; the system's.
///
/// # Cancel safety
/// Dropping it loses nothing: the accept stays armed, and a connection that comes waits for the next one.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Accept<'a> {
    listener: &'a mut FileHandle,
    table: &'static TableControl,
    handle: OpHandle,
}

/// Takes over the accept that is armed in the listener's slot, or arms one, if `table` has an entry for what it
/// will bring. The handle stays idle while an earlier user's is on its way out, which wakes the context.
pub(super) fn arm(
    handle: &mut OpHandle,
    entry: &'static FileEntry,
    table: &'static TableControl,
    cx: &Context<'_>,
    (vtable, kind): (&'static KeepVtable, SlotKind),
) -> Result<(), Error> {
    match handle.adopt(entry.slot()) {
        Adopted::Yes => return Ok(()),
        Adopted::Busy => {
            cx.waker().wake_by_ref();
            return Ok(());
        }
        Adopted::Free => {}
    }
    let waker = cx.waker().clone();
    let place = place()?;
    // Before a connection is taken from the system.
    drop(table.reserve()?);
    let parts = Parts { raw: RawBuf::NONE, vtable, file: Some(entry), lane: None, kind };
    let op = Descriptor::Accept { file: entry.raw(), multishot: kind == SlotKind::Multi };
    // SAFETY: ACCEPT-1: the slot is free and ours; R4: the entry counts the operation.
    unsafe { handle.begin_in(place, entry.slot(), waker, &op, Some(parts)) };
    Ok(())
}

impl Future for Accept<'_> {
    type Output = Result<FileHandle, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if let Some(connection) = this.listener.entry().late.pop() {
                return Poll::Ready(Ok(connection));
            }
            if this.handle.slot().is_none() {
                let entry = this.listener.entry();
                arm(&mut this.handle, entry, this.table, cx, (&KEEP_ACCEPT, SlotKind::Keep))?;
            }
            let Some(armed) = this.handle.slot() else { return Poll::Pending };
            // ACCEPT-4: with no entry for it, what has come stays in the slot.
            let reservation = if armed.in_flight() { None } else { Some(this.table.reserve()?) };
            // An armed accept may be ready already, and always gets this context's waker.
            let Poll::Ready(end) = this.handle.poll_end(cx) else {
                // An adopted stream's connection may have come while the waker was left.
                if this.listener.entry().late.is_empty() {
                    return Poll::Pending;
                }
                continue;
            };
            // The slot is no task's: this was an earlier user's operation, on its way out.
            if end == Err(Error::TaskEnded) {
                continue;
            }
            let outcome = end?;
            if !outcome.again && !this.handle.ended_by_another(outcome.result) {
                let fd = Error::check(outcome.result)? as i32;
                let reservation = match reservation {
                    Some(reservation) => reservation,
                    None => this.table.reserve()?,
                };
                // SAFETY: R4: the accept brought it, to this future alone.
                return Poll::Ready(Ok(unsafe { reservation.open(fd) }));
            }
        }
    }
}

impl Operation for Accept<'_> {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.handle.cancel(cx);
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        matches!(output, Err(Error::Cancelled))
    }
}

impl Drop for Accept<'_> {
    fn drop(&mut self) {
        self.handle.leave_armed();
    }
}
