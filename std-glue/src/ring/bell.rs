//! Doorbells: a small static table of eventfds. Messages into the ring wake it no faster (`benches/doorbell.rs`, and the
//! decision about it).
//!
//! Whoever rings holds a `&'static`, perhaps longer than the ring lives. So an eventfd is never closed: its
//! number could mean another file by then. A place of the table is used again by the next ring, which then
//! may be rung for nothing (RING-6).

use core::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use unboxed_core::event_loop::{Doorbell, RawFile};
use unboxed_core::memory::{MapNode, Mapped, Row};

use super::ladder::SetupError;

/// How many rings of one process can be open at once.
pub(super) const BELLS_MAX: usize = 64;

static BELLS: Bells = Bells {
    places: [const { Bell::new() }; BELLS_MAX],
    used_max: AtomicUsize::new(0),
    bytes_max: AtomicUsize::new(0),
    node: MapNode::new(),
};

struct Bells {
    places: [Bell; BELLS_MAX],
    used_max: AtomicUsize,
    bytes_max: AtomicUsize,
    node: MapNode,
}

/// One place: its eventfd, made at the first use, whether a ring listens, and what that has mapped.
pub(super) struct Bell {
    file: AtomicI32,
    in_use: AtomicBool,
    queue_bytes: AtomicUsize,
}

impl Bells {
    fn used(&self) -> usize {
        self.places.iter().filter(|bell| bell.in_use.load(Ordering::Relaxed)).count()
    }

    fn queue_bytes(&self) -> usize {
        self.places.iter().map(|bell| bell.queue_bytes.load(Ordering::Relaxed)).sum()
    }
}

/// The table, and the pages that the rings which listen there have in common with the kernel.
impl Mapped for Bells {
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let address = core::ptr::from_ref(self).addr();
        tell(Row {
            kind: "bells",
            name: "",
            address,
            pieces: BELLS_MAX,
            piece_bytes: size_of::<Bell>(),
            beside: size_of::<Self>() - size_of_val(&self.places),
            used: self.used(),
            used_max: self.used_max.load(Ordering::Relaxed),
        });
        let bytes = self.queue_bytes();
        tell(Row {
            kind: "queues",
            name: "shared with the kernel",
            address: 0,
            pieces: 1,
            piece_bytes: bytes,
            beside: 0,
            used: bytes,
            used_max: self.bytes_max.load(Ordering::Relaxed),
        });
    }
}

impl Bell {
    const fn new() -> Self {
        Self { file: AtomicI32::new(-1), in_use: AtomicBool::new(false), queue_bytes: AtomicUsize::new(0) }
    }

    /// Takes a free place of the table.
    pub(super) fn claim() -> Result<&'static Bell, SetupError> {
        let free = |bell: &&Bell| !bell.in_use.swap(true, Ordering::AcqRel);
        BELLS.node.show(&BELLS);
        let bell = BELLS.places.iter().find(free).ok_or(SetupError::BellsUsedUp)?;
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
        BELLS.used_max.fetch_max(BELLS.used(), Ordering::Relaxed);
        Ok(bell)
    }

    /// Notes what its ring has mapped, for memory maps.
    pub(super) fn note_queues(&self, bytes: usize) {
        self.queue_bytes.store(bytes, Ordering::Relaxed);
        BELLS.bytes_max.fetch_max(BELLS.queue_bytes(), Ordering::Relaxed);
    }

    /// Gives the place back; from now on ringing it does nothing.
    pub(super) fn release(&self) {
        self.queue_bytes.store(0, Ordering::Relaxed);
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
