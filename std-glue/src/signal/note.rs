//! The handler: it notes the signal, and rings whoever waits for it.
//!
//! SIGNAL-1: the handler may run in any thread at any instruction, so it touches atomics and calls `write`, and leaves
//! `errno` as it was. It reads the eventfds without a lock, so that each is made once, for each set of signals that can
//! be asked for, and never closed; a [`Signals`](super::Signals) polls a copy of its descriptor.
//!
//! SIGNAL-2: a signal is noted before the rings, and a ring is taken away before the look at the notes. Whoever takes a
//! note and leaves another of the same set rings again. So while there is a note, each eventfd of a set with it is
//! readable, or somebody is about to look.

use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::io;

/// Signals that have come and were not received.
static NOTED: AtomicU32 = AtomicU32::new(0);

/// An eventfd for each set that is not empty; -1 until it is asked for.
static RINGS: [AtomicI32; 3] = [const { AtomicI32::new(-1) }; 3];

/// A set of signals; not empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kinds(u32);

/// Their bits.
const SIGNALS: [(c_int, u32); 2] = [(libc::SIGINT, 1), (libc::SIGTERM, 2)];

fn rings() -> impl Iterator<Item = (u32, &'static AtomicI32)> {
    (1..).zip(&RINGS)
}

extern "C" fn note(signal: c_int) {
    for (number, bit) in SIGNALS {
        if number == signal {
            NOTED.fetch_or(bit, Ordering::Release);
            ring(bit);
        }
    }
}

/// Rings the sets that have one of these bits.
fn ring(bits: u32) {
    // SAFETY: the calling thread's own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    for (set, file) in rings() {
        let file = file.load(Ordering::Acquire);
        if set & bits != 0 && file >= 0 {
            let one = 1u64;
            // SAFETY: SIGNAL-1: it is this eventfd as long as the process lives; eight bytes of a local.
            let _ = unsafe { libc::write(file, (&raw const one).cast(), 8) };
        }
    }
    // SAFETY: as above.
    unsafe { *errno = before };
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

impl Kinds {
    pub const INTERRUPT: Self = Self(1);
    pub const TERMINATE: Self = Self(2);
    pub const BOTH: Self = Self(3);

    fn signals(self) -> impl Iterator<Item = c_int> {
        SIGNALS.into_iter().filter_map(move |(signal, bit)| (self.0 & bit != 0).then_some(signal))
    }

    fn file(self) -> &'static AtomicI32 {
        &RINGS[self.0 as usize - 1]
    }

    /// Has these signals noted from now on, and gives a new descriptor that is readable when one may have been.
    ///
    /// # Errors
    /// The system's.
    pub fn listen(self) -> io::Result<c_int> {
        let file = self.made()?;
        // SAFETY: numbers only.
        let copy = check(unsafe { libc::fcntl(file, libc::F_DUPFD_CLOEXEC, 0) })?;
        if let Err(error) = self.install() {
            // SAFETY: R4: the copy is ours.
            unsafe { libc::close(copy) };
            return Err(error);
        }
        Ok(copy)
    }

    fn made(self) -> io::Result<c_int> {
        let place = self.file();
        let there = place.load(Ordering::Acquire);
        if there >= 0 {
            return Ok(there);
        }
        // SAFETY: numbers only.
        let new = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        place.compare_exchange(-1, new, Ordering::AcqRel, Ordering::Acquire).map_or_else(
            |earlier| {
                // SAFETY: R4: nobody else has seen this one.
                unsafe { libc::close(new) };
                Ok(earlier)
            },
            |_| Ok(new),
        )
    }

    /// The handler for each, and this thread takes them: the program's others may all have them blocked, as
    /// threads of workers have (THREADS-2).
    fn install(self) -> io::Result<()> {
        // SAFETY: SIGNAL-1: the handler may run anywhere. Both structures are zeros, which are valid, and then
        // filled in.
        unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = note as extern "C" fn(c_int) as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
            let mut set: libc::sigset_t = core::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in self.signals() {
                check(libc::sigaction(signal, &raw const action, core::ptr::null_mut()))?;
                libc::sigaddset(&raw mut set, signal);
            }
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, core::ptr::null_mut());
        }
        Ok(())
    }

    /// Takes one that has been noted.
    pub fn take(self) -> Option<c_int> {
        let mut rung = 0u64;
        // SAFETY: SIGNAL-1; eight bytes into a local; the file is non-blocking, and "nothing to read" is as good.
        let _ = unsafe { libc::read(self.file().load(Ordering::Acquire), (&raw mut rung).cast(), 8) };
        let mut taken = None;
        for (signal, bit) in SIGNALS {
            if self.0 & bit == 0 {
                continue;
            }
            if taken.is_some() {
                if NOTED.load(Ordering::Acquire) & bit != 0 {
                    ring(bit);
                }
            } else if NOTED.fetch_and(!bit, Ordering::AcqRel) & bit != 0 {
                taken = Some(signal);
            }
        }
        taken
    }
}
