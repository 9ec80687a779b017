//! What every arena counts, under its own lock.

/// Bodies, their bytes, and whether more may come.
#[derive(Debug)]
pub(super) struct Counts {
    pub live: usize,
    pub bytes: usize,
    bytes_max: usize,
    pub refused: u64,
    pub sealed: bool,
}

impl Counts {
    pub const fn new() -> Self {
        Self { live: 0, bytes: 0, bytes_max: 0, refused: 0, sealed: false }
    }

    /// One more body.
    #[inline]
    pub fn add(&mut self, bytes: usize) {
        self.live += 1;
        self.bytes += bytes;
    }

    /// One less. The most is brought up to date here, where the bytes are about to sink, and where it is asked for: so
    /// that it costs a body nothing on its way in.
    #[inline]
    pub fn remove(&mut self, bytes: usize) {
        self.note_most();
        self.remove_refused(bytes);
    }

    /// One less that was counted while it was asked for, and found no room.
    #[inline]
    pub fn remove_refused(&mut self, bytes: usize) {
        self.live -= 1;
        self.bytes -= bytes;
    }

    #[inline]
    fn note_most(&mut self) {
        self.bytes_max = self.bytes_max.max(self.bytes);
    }

    /// No body for this one.
    #[cold]
    pub fn refuse<T>(&mut self) -> Option<T> {
        self.refused += 1;
        None
    }

    /// Begins anew.
    pub fn reset(&mut self) -> Result<(), InUse> {
        if self.live > 0 {
            return Err(InUse { live: self.live });
        }
        self.sealed = false;
        Ok(())
    }

    pub fn memory(&mut self, left: Option<usize>) -> ArenaMemory {
        self.note_most();
        let Self { live, bytes, bytes_max, refused, .. } = *self;
        ArenaMemory { live, bytes, bytes_max, refused, left }
    }
}

/// What an arena holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArenaMemory {
    /// Bodies in it.
    pub live: usize,
    /// Their bytes.
    pub bytes: usize,
    /// The most bytes that there were at once; in an [`Arena`](super::Arena), with those that its allocator was being
    /// asked for.
    pub bytes_max: usize,
    /// Bodies that found no room, or came when it was sealed.
    pub refused: u64,
    /// Bytes that are left, where that is known; in a slab, the largest body that still fits.
    pub left: Option<usize>,
}

/// The arena still holds bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InUse {
    /// So many.
    pub live: usize,
}

impl core::fmt::Display for InUse {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the arena still holds {} bodies: abort or join their tasks first", self.live)
    }
}

impl core::error::Error for InUse {}
