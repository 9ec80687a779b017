//! An arena: some storage for bodies, counted, that can be sealed.
//!
//! ARENA-1: `live` counts bodies from `take` to `give`, under the lock that `seal` and `reset` take, so neither
//! comes between a look and a take.

use super::alloc::BodyAlloc;
use crate::memory::{MapNode, Mapped, Row};
use core::alloc::Layout;
use core::ptr::NonNull;
use spin::mutex::SpinMutex;

/// Storage for bodies that can begin anew when nothing lives in it.
pub trait Rewind {
    /// Forgets what was lost between bodies.
    fn rewind(&self);
}

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
    /// The most bytes that there were at once.
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
        let counts = self.counts.lock();
        let Counts { live, bytes, bytes_max, refused, .. } = *counts;
        ArenaMemory { live, bytes, bytes_max, refused, left: self.alloc.left() }
    }
}

impl<A: BodyAlloc + Rewind> Arena<A> {
    /// Begins anew: nothing is lost any more, and a sealed arena is open.
    ///
    /// # Errors
    /// [`InUse`] while bodies live in it.
    pub fn reset(&self) -> Result<(), InUse> {
        let mut counts = self.counts.lock();
        if counts.live > 0 {
            return Err(InUse { live: counts.live });
        }
        counts.sealed = false;
        self.alloc.rewind();
        Ok(())
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
        let mut counts = self.counts.lock();
        let data = if counts.sealed { None } else { self.alloc.take(layout) };
        match data {
            Some(_) => {
                counts.live += 1;
                counts.bytes += layout.size();
                counts.bytes_max = counts.bytes_max.max(counts.bytes);
            }
            None => counts.refused += 1,
        }
        data
    }

    unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
        let mut counts = self.counts.lock();
        // SAFETY: passed on.
        unsafe { self.alloc.give(data, layout) };
        counts.live -= 1;
        counts.bytes -= layout.size();
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
