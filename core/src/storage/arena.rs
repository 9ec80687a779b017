//! An arena: some storage for bodies, counted, that can be sealed.
//!
//! ARENA-1: `live` and `bytes` count a body from before its memory is taken until after it is given back, so
//! whoever finds zero finds the storage empty. The storage is the user's: it is never called under the counts'
//! lock. A body costs the lock once on its way in and once on its way out, hence `bytes_max` is brought up to
//! date where `bytes` is about to sink, or is asked for.

use super::alloc::BodyAlloc;
use crate::memory::{MapNode, Mapped, Row};
use core::alloc::Layout;
use core::ptr::NonNull;
use spin::mutex::SpinMutex;

/// Counts and limits a storage. Put it in a static, and spawn with a reference to it.
///
/// ```
/// # use unboxed_core as unboxed;
/// use unboxed::storage::{Arena, Bump, TaskTable};
///
/// static REGION: Bump<4096> = Bump::new();
/// static ARENA: Arena<&Bump<4096>> = Arena::new("bodies", &REGION);
/// static TASKS: TaskTable<16, 2> = TaskTable::new();
///
/// async fn session(number: u32) -> u32 {
///     number
/// }
///
/// let refused = TASKS.spawn(&ARENA, session(1)).unwrap_err();
/// assert_eq!(refused.reason, unboxed::storage::Reason::NoRuntime);
/// ```
#[derive(Debug)]
pub struct Arena<A> {
    node: MapNode,
    name: &'static str,
    alloc: A,
    counts: SpinMutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    live: usize,
    bytes: usize,
    bytes_max: usize,
    refused: u64,
    sealed: bool,
}

/// What an arena holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArenaMemory {
    /// Bodies in it.
    pub live: usize,
    /// Their bytes.
    pub bytes: usize,
    /// The most bytes that there were at once, with those that the storage was being asked for.
    pub bytes_max: usize,
    /// Bodies that found no room.
    pub refused: u64,
    /// Bytes that are left, where the storage knows.
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

impl<A: BodyAlloc> Arena<A> {
    /// An arena over `alloc`; the name is for memory maps.
    pub const fn new(name: &'static str, alloc: A) -> Self {
        let counts = Counts { live: 0, bytes: 0, bytes_max: 0, refused: 0, sealed: false };
        Self { node: MapNode::new(), name, alloc, counts: SpinMutex::new(counts) }
    }

    /// From now on it refuses new bodies: for programs that start all tasks first. It cannot be undone, but
    /// by [`reset`](Self::reset).
    pub fn seal(&self) {
        self.counts.lock().sealed = true;
    }

    /// Counts, high-water mark, and what is left.
    pub fn memory(&self) -> ArenaMemory {
        let (live, bytes, bytes_max, refused) = {
            let mut counts = self.counts.lock();
            counts.note_most();
            (counts.live, counts.bytes, counts.bytes_max, counts.refused)
        };
        ArenaMemory { live, bytes, bytes_max, refused, left: self.alloc.left() }
    }

    /// Begins anew: a sealed arena is open again.
    ///
    /// # Errors
    /// [`InUse`] while bodies live in it.
    pub fn reset(&self) -> Result<(), InUse> {
        let mut counts = self.counts.lock();
        if counts.live > 0 {
            return Err(InUse { live: counts.live });
        }
        counts.sealed = false;
        Ok(())
    }
}

impl Counts {
    fn note_most(&mut self) {
        self.bytes_max = self.bytes_max.max(self.bytes);
    }
}

/// Counts a body no more, also when the user's allocator panics.
struct Counted<'a> {
    counts: &'a SpinMutex<Counts>,
    bytes: usize,
    /// It found no room: it was never one of the most, and is one of the refused.
    refused: bool,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if self.refused {
            counts.refused += 1;
        } else {
            counts.note_most();
        }
        counts.live -= 1;
        counts.bytes -= self.bytes;
    }
}

impl<A: BodyAlloc + Sync> Mapped for Arena<A> {
    fn row(&self) -> Row {
        let memory = self.memory();
        Row {
            kind: "arena",
            name: self.name,
            address: core::ptr::from_ref(self).addr(),
            pieces: 1,
            piece_bytes: self.alloc.size().unwrap_or(0),
            used: memory.bytes,
            used_max: memory.bytes_max,
        }
    }
}

// SAFETY: the contract of the allocator within, of which the static arena keeps a clone alive.
unsafe impl<A: BodyAlloc + Sync> BodyAlloc for &'static Arena<A> {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.node.show(*self);
        let bytes = layout.size();
        {
            let mut counts = self.counts.lock();
            if counts.sealed {
                counts.refused += 1;
                return None;
            }
            counts.live += 1;
            counts.bytes += bytes;
        }
        let counted = Counted { counts: &self.counts, bytes, refused: true };
        let data = self.alloc.take(layout)?;
        core::mem::forget(counted);
        Some(data)
    }

    unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
        let _counted = Counted { counts: &self.counts, bytes: layout.size(), refused: false };
        // SAFETY: passed on.
        unsafe { self.alloc.give(data, layout) };
    }

    fn left(&self) -> Option<usize> {
        self.alloc.left()
    }

    fn size(&self) -> Option<usize> {
        self.alloc.size()
    }

    fn is_sealed(&self) -> bool {
        self.counts.lock().sealed
    }
}
