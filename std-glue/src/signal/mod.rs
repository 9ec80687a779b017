//! Ctrl-c and terminate, through eventfds that the ring polls; installed only when asked for.
//!
//! | file | what |
//! |---|---|
//! | `mod` | [`Signals`], and how one waits |
//! | `note` | the handler, what it notes, and whom it rings |

mod note;

use crate::rt::current_table;
use note::Kinds;
use unboxed_core::event_loop::Descriptor;
use unboxed_core::file::FileHandle;
use unboxed_core::io::file_op;
use unboxed_core::op::Error;

/// Receives one kind of signal, or several.
///
/// Asking replaces the process's handler for the signal, and lets the thread that asks take it; any task may ask, on any
/// worker. When the `Signals` is dropped, the handler stays: a signal that comes then ends nothing, and is the next
/// one's. Of several that wait for the same signal, one receives it. Signals that come before one is received
/// are one.
///
/// A thread that takes the signal while it is in the kernel goes on there where that is possible; a poll of one's own
/// ends with `EINTR`.
#[derive(Debug)]
pub struct Signals {
    file: FileHandle,
    kinds: Kinds,
}

/// Ctrl-c (SIGINT), from now on.
///
/// # Errors
/// The system's; [`Error::TableFull`]; [`Error::NoTask`] outside a runtime.
pub fn ctrl_c() -> Result<Signals, Error> {
    Signals::new(Kinds::INTERRUPT)
}

/// A polite request to end (SIGTERM), from now on.
///
/// # Errors
/// As [`ctrl_c`].
pub fn terminate() -> Result<Signals, Error> {
    Signals::new(Kinds::TERMINATE)
}

/// Either of [`ctrl_c`] and [`terminate`].
///
/// # Errors
/// As [`ctrl_c`].
pub fn shutdown() -> Result<Signals, Error> {
    Signals::new(Kinds::BOTH)
}

impl Signals {
    fn new(kinds: Kinds) -> Result<Self, Error> {
        let reservation = current_table()?.reserve()?;
        let fd = kinds.listen().map_err(|error| Error::Os(error.raw_os_error().unwrap_or(libc::EIO)))?;
        // SAFETY: R4: a new descriptor.
        Ok(Self { file: unsafe { reservation.open(fd) }, kinds })
    }

    /// Waits for a signal; its number.
    ///
    /// # Errors
    /// Those of any operation.
    ///
    /// # Cancel safety
    /// Dropping the future loses no signal.
    pub async fn recv(&mut self) -> Result<i32, Error> {
        loop {
            if let Some(signal) = self.kinds.take() {
                return Ok(signal);
            }
            let events = libc::POLLIN as u32;
            // SAFETY: the descriptor names the given file.
            let poll =
                unsafe { file_op(&self.file, |file| Descriptor::Poll { file, events, multishot: false }) };
            poll.await?;
        }
    }
}
