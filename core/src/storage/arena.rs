//! An arena over an allocator that does not count: the user's, another crate's, the heap.
//!
//! ARENA-1: `live` and `bytes` count a body from before its memory is taken until after it is given back, so
//! whoever finds zero finds the storage empty. The storage is the user's: it is never called under the counts'
//! lock.

use super::alloc::BodyAlloc;
use super::counts::{ArenaMemory, Counts, InUse};
use crate::memory::{MapNode, Mapped, Row};
use core::alloc::Layout;
use core::ptr::NonNull;
use spin::mutex::SpinMutex;

/// Counts and limits an allocator. Put it in a static, and spawn with a reference to it.
///
/// A [`Slab`](super::Slab) and a [`Bump`](super::Bump) region count for themselves, and need none.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// # use unboxed_core as unboxed;
/// # thread_local!(static CURRENT: core::cell::Cell<*const unboxed::exec::Worker> = const { core::cell::Cell::new(core::ptr::null()) });
/// # unboxed::current_worker_cell!(unsafe CURRENT.with(core::ptr::from_ref));
/// use unboxed::storage::{Arena, Heap, Reason, TaskTable};
///
/// static ARENA: Arena<Heap> = Arena::new("sessions", Heap);
/// static TASKS: TaskTable<16, 2> = TaskTable::new();
///
/// async fn session(number: u32) -> u32 {
///     number
/// }
///
/// let refused = TASKS.spawn(&ARENA, session(1)).unwrap_err();
/// assert_eq!(refused.reason, Reason::NoRuntime);
/// # }
/// ```
pub struct Arena<A> {
    node: MapNode,
    name: &'static str,
    alloc: A,
    counts: SpinMutex<Counts>,
}

impl<A> core::fmt::Debug for Arena<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // A copy first: what is written to is foreign code, and does not run under the lock.
        let (live, bytes) = {
            let counts = self.counts.lock();
            (counts.live, counts.bytes)
        };
        write!(f, "Arena({}, {live} bodies of {bytes} bytes)", self.name)
    }
}

impl<A: BodyAlloc> Arena<A> {
    /// An arena over `alloc`; the name is for memory maps.
    pub const fn new(name: &'static str, alloc: A) -> Self {
        Self { node: MapNode::new(), name, alloc, counts: SpinMutex::new(Counts::new()) }
    }

    /// From now on it refuses new bodies: for programs that start all tasks first. It cannot be undone, but
    /// by [`reset`](Self::reset).
    pub fn seal(&self) {
        self.counts.lock().sealed = true;
    }

    /// Counts, high-water mark, and what is left.
    pub fn memory(&self) -> ArenaMemory {
        let left = self.alloc.left();
        self.counts.lock().memory(left)
    }

    /// Begins anew: a sealed arena is open again.
    ///
    /// # Errors
    /// [`InUse`] while bodies live in it.
    pub fn reset(&self) -> Result<(), InUse> {
        self.counts.lock().reset()
    }
}

/// Counts a body no more, also when the user's allocator panics.
struct Counted<'a> {
    counts: &'a SpinMutex<Counts>,
    bytes: usize,
    /// It found no room.
    refused: bool,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if self.refused {
            counts.refused += 1;
            counts.remove_refused(self.bytes);
        } else {
            counts.remove(self.bytes);
        }
    }
}

impl<A: BodyAlloc + Sync> Mapped for Arena<A> {
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let memory = self.memory();
        tell(Row {
            kind: "arena",
            name: self.name,
            address: core::ptr::from_ref(self).addr(),
            pieces: 1,
            // A storage that is in the map itself is not counted twice.
            piece_bytes: if self.alloc.is_mapped() { 0 } else { self.alloc.size().unwrap_or(0) },
            beside: size_of::<Self>(),
            used: memory.bytes,
            used_max: memory.bytes_max,
        });
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
                return counts.refuse();
            }
            counts.add(bytes);
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
        self.counts.lock().sealed || self.alloc.is_sealed()
    }

    fn is_mapped(&self) -> bool {
        true
    }
}
