//! Ctrl-c and terminate, through a signalfd that the ring polls; installed only when asked for.
//!
//! SIGNAL-1: asking blocks the signal in the calling thread, so that it goes to the descriptor; threads that
//! are started later inherit that. Ask before starting threads of your own, and in the root future: the threads of other
//! workers have every signal blocked anyway (THREADS-2), so asked there nothing would be blocked where it matters, and the
//! signal would end the process.

use crate::rt::current_table;
use std::mem::MaybeUninit;
use unboxed_core::event_loop::Descriptor;
use unboxed_core::file::FileHandle;
use unboxed_core::io::file_op;
use unboxed_core::op::Error;

/// Receives one kind of signal, or several.
#[derive(Debug)]
pub struct Signals {
    file: FileHandle,
}

/// Ctrl-c (SIGINT), from now on.
///
/// Ask in the root future, and before the program starts threads of its own: asked by a task on another worker's
/// thread, the signal still ends the process.
///
/// # Errors
/// The system's; [`Error::TableFull`]; [`Error::NoTask`] outside a runtime.
pub fn ctrl_c() -> Result<Signals, Error> {
    Signals::new(&[libc::SIGINT])
}

/// A polite request to end (SIGTERM), from now on.
///
/// Ask in the root future, and before the program starts threads of its own: asked by a task on another worker's
/// thread, the signal still ends the process.
///
/// # Errors
/// As [`ctrl_c`].
pub fn terminate() -> Result<Signals, Error> {
    Signals::new(&[libc::SIGTERM])
}

/// Either of [`ctrl_c`] and [`terminate`].
///
/// Ask in the root future, and before the program starts threads of its own: asked by a task on another worker's
/// thread, the signal still ends the process.
///
/// # Errors
/// As [`ctrl_c`].
pub fn shutdown() -> Result<Signals, Error> {
    Signals::new(&[libc::SIGINT, libc::SIGTERM])
}

impl Signals {
    fn new(signals: &[i32]) -> Result<Self, Error> {
        let reservation = current_table()?.reserve()?;
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: plain system calls on a set that outlives them.
        let fd = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for &signal in signals {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
            libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        if fd < 0 {
            let number = std::io::Error::last_os_error().raw_os_error();
            return Err(Error::Os(number.unwrap_or(libc::EIO)));
        }
        // SAFETY: R4: a new descriptor.
        Ok(Self { file: unsafe { reservation.open(fd) } })
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
            let events = libc::POLLIN as u32;
            // SAFETY: the descriptor names the given file.
            let poll =
                unsafe { file_op(&self.file, |file| Descriptor::Poll { file, events, multishot: false }) };
            poll.await?;
            let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
            let size = size_of::<libc::signalfd_siginfo>();
            // SAFETY: the descriptor is ours and non-blocking; the buffer has that size.
            let read = unsafe { libc::read(self.file.raw(), info.as_mut_ptr().cast(), size) };
            if read == size as isize {
                // SAFETY: zeroed, then filled.
                return Ok(unsafe { info.assume_init_ref() }.ssi_signo as i32);
            }
        }
    }
}
