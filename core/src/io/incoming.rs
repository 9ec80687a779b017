//! A stream of connections: one accept in the system that goes on until it is ended.
//!
//! ACCEPT-3: it is armed in the listener's own slot (ACCEPT-1), and each connection becomes an entry of the
//! listener's late list at once, in the reaping, so that none is held by a future or by a queue that can
//! overflow before the table does. With the table full a connection is closed and counted, and the accept
//! ends; it is armed again when there is room.

use super::accept::{arm, discard};
use crate::file::{FileEntry, FileHandle};
use crate::op::{Error, KeepVtable, OpHandle, RawBuf, SlotKind};
use core::future::poll_fn;
use core::task::{Context, Poll};

static KEEP_INCOMING: KeepVtable = KeepVtable { discard, more };

fn more(_: RawBuf, result: i32, file: Option<&'static FileEntry>) -> bool {
    match (file, result) {
        // SAFETY: R4: the accept brought it, to this listener.
        (Some(file), 0..) => unsafe { file.keep_late(result) },
        _ => true,
    }
}

/// Connections of a listener, one after another, by a single submission.
///
/// # Cancel safety
/// Futures of [`next`](Self::next) may be dropped at any time. Dropping the stream ends the accept; what had
/// come by then, or comes before it has ended, is the next accept's.
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a mut FileHandle,
    handle: OpHandle,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(listener: &'a mut FileHandle) -> Self {
        Self { listener, handle: OpHandle::new() }
    }

    /// The next connection.
    ///
    /// # Errors
    /// [`Error::TableFull`], after which it may be called again: connections that came meanwhile were
    /// closed. The system's.
    pub async fn next(&mut self) -> Result<FileHandle, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The poll of [`next`](Self::next).
    ///
    /// # Errors
    /// As `next`.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<FileHandle, Error>> {
        let entry = self.listener.entry();
        let table = entry.table();
        loop {
            if let Some(connection) = entry.late.pop() {
                return Poll::Ready(Ok(connection));
            }
            if self.handle.slot().is_none() {
                arm(&mut self.handle, entry, table, cx, (&KEEP_INCOMING, SlotKind::Multi))?;
                if self.handle.slot().is_none() {
                    return Poll::Pending;
                }
            }
            if self.handle.slot().is_some_and(|armed| !armed.in_flight()) {
                // ACCEPT-4: what has come stays in the slot while there is no entry for it.
                drop(table.reserve()?);
            }
            let Poll::Ready(end) = self.handle.poll_end(cx) else {
                // One may have come while the waker was left.
                return if entry.late.is_empty() { Poll::Pending } else { continue };
            };
            // The slot is no task's: this was an earlier user's operation, on its way out.
            if end == Err(Error::TaskEnded) {
                continue;
            }
            let outcome = end?;
            if outcome.again {
                continue;
            }
            match Error::check(outcome.result) {
                // SAFETY: R4: the accept's last connection, for this holder alone.
                Ok(fd) if unsafe { entry.keep_late(fd as i32) } => {}
                Ok(_) => return Poll::Ready(Err(Error::TableFull { entries: table.memory().entries })),
                // It ended for want of entries, or by an earlier stream's drop; `arm` tells which.
                Err(Error::Cancelled) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        self.handle.leave_cancelled();
    }
}
