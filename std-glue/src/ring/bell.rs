//! Doorbells: a small static table of eventfds. Messages into the ring wake it no faster (`benches/doorbell.rs`, and the
//! decision about it).
//!
//! Whoever rings holds a `&'static`, perhaps longer than the ring lives. So an eventfd is never closed: its
//! number could mean another file by then. A place of the table is used again by the next ring, which then
//! may be rung for nothing (RING-6).

use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use unboxed_core::event_loop::{Doorbell, RawFile};

use super::ladder::SetupError;

/// How many rings of one process can be open at once.
pub(super) const BELLS_MAX: usize = 64;

static BELLS: [Bell; BELLS_MAX] = [const { Bell::new() }; BELLS_MAX];

/// One place: its eventfd, made at the first use, and whether a ring listens.
pub(super) struct Bell {
    file: AtomicI32,
    in_use: AtomicBool,
}

impl Bell {
    const fn new() -> Self {
        Self { file: AtomicI32::new(-1), in_use: AtomicBool::new(false) }
    }

    /// Takes a free place of the table.
    pub(super) fn claim() -> Result<&'static Bell, SetupError> {
        let free = |bell: &&Bell| !bell.in_use.swap(true, Ordering::AcqRel);
        let bell = BELLS.iter().find(free).ok_or(SetupError::BellsUsedUp)?;
        if bell.file() < 0 {
            // SAFETY: takes two numbers and touches no memory of ours.
            let file = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
            if file < 0 {
                let error = SetupError::from_io(&std::io::Error::last_os_error());
                bell.release();
                return Err(error);
            }
            bell.file.store(file, Ordering::Release);
        }
        let mut old_rings = 0u64;
        // What an earlier owner was rung for is none of the new one's business.
        // SAFETY: eight bytes into a local; the file is non-blocking, and "nothing to read" is as good.
        let _ = unsafe { libc::read(bell.file(), (&raw mut old_rings).cast(), 8) };
        Ok(bell)
    }

    /// Gives the place back; from now on ringing it does nothing.
    pub(super) fn release(&self) {
        self.in_use.store(false, Ordering::Release);
    }

    /// The eventfd. While a ring listens its counter only grows: each write wakes the poll anew.
    pub(super) fn file(&self) -> RawFile {
        self.file.load(Ordering::Acquire)
    }
}

impl Doorbell for Bell {
    fn ring(&self) {
        if !self.in_use.load(Ordering::Acquire) {
            return;
        }
        let one = 1u64;
        // SAFETY: RING-6: the file is this eventfd for as long as the process lives; eight bytes of a local.
        // A refusal (the counter at its end, after 2^64 rings) is nothing that a ringer could mend.
        let _ = unsafe { libc::write(self.file(), (&raw const one).cast(), 8) };
    }
}
