//! Equal blocks, each for one body.
//!
//! SLAB-1: a block is in the free list, above `fresh`, or one body's. A free block's first bytes hold the
//! number of the next free one, counted from one, so that an empty slab is all zeros.

use super::alloc::BodyAlloc;
use super::counts::{ArenaMemory, Counts, InUse};
use crate::memory::{MapNode, Mapped, Row};
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use spin::mutex::SpinMutex;
use spin::once::Once;

const NONE: u32 = 0;

/// One block, aligned for what futures usually hold.
#[repr(C, align(64))]
struct Room<const SIZE: usize>(MaybeUninit<[u8; SIZE]>);

/// An arena of `COUNT` blocks of `SIZE` bytes (rounded up to 64), to be put in a static; spawn with a reference to it.
///
/// Bodies of at most so many bytes and an alignment of at most 64 fit, in any order: where bodies come and go, take
/// this and not a [`Bump`](super::Bump) region.
///
/// ```
/// # use unboxed_core as unboxed;
/// # thread_local!(static CURRENT: core::cell::Cell<*const unboxed::exec::Worker> = const { core::cell::Cell::new(core::ptr::null()) });
/// # unboxed::current_worker_cell!(unsafe CURRENT.with(core::ptr::from_ref));
/// use unboxed::storage::{Reason, Slab, TaskTable};
///
/// static ROOMS: Slab<256, 16> = Slab::new();
/// static TASKS: TaskTable<16, 2> = TaskTable::new();
///
/// async fn session(number: u32) -> u32 {
///     number
/// }
///
/// let refused = TASKS.spawn(&ROOMS, session(1)).unwrap_err();
/// assert_eq!((refused.reason, refused.left), (Reason::NoRuntime, Some(256)));
/// ```
pub struct Slab<const SIZE: usize, const COUNT: usize> {
    rooms: UnsafeCell<MaybeUninit<[Room<SIZE>; COUNT]>>,
    node: MapNode,
    name: Once<&'static str>,
    state: SpinMutex<State>,
}

#[derive(Debug)]
struct State {
    free: u32,
    fresh: u32,
    live_max: usize,
    counts: Counts,
}

// SAFETY: SLAB-1; the state lies under its lock.
unsafe impl<const SIZE: usize, const COUNT: usize> Sync for Slab<SIZE, COUNT> {}

impl<const SIZE: usize, const COUNT: usize> core::fmt::Debug for Slab<SIZE, COUNT> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // A copy first: what is written to is foreign code, and does not run under the lock.
        let live = self.memory().live;
        write!(f, "Slab({live} of {COUNT} blocks of {SIZE})")
    }
}

impl<const SIZE: usize, const COUNT: usize> Slab<SIZE, COUNT> {
    /// All free.
    pub const fn new() -> Self {
        const {
            assert!(SIZE >= 4, "a slab's block holds at least four bytes");
            assert!(COUNT < u32::MAX as usize, "a slab has at most 2^32 - 2 blocks");
        }
        Self {
            rooms: UnsafeCell::new(MaybeUninit::uninit()),
            node: MapNode::new(),
            name: Once::new(),
            state: SpinMutex::new(State { free: NONE, fresh: 0, live_max: 0, counts: Counts::new() }),
        }
    }

    /// Names it, for memory maps: once; later it changes nothing.
    pub fn name(&self, name: &'static str) {
        self.name.call_once(|| name);
    }

    /// From now on it refuses new bodies: for programs that start all tasks first. It cannot be undone, but
    /// by [`reset`](Self::reset).
    pub fn seal(&self) {
        self.state.lock().counts.sealed = true;
    }

    /// Begins anew: a sealed slab is open again.
    ///
    /// # Errors
    /// [`InUse`] while bodies live in it.
    pub fn reset(&self) -> Result<(), InUse> {
        self.state.lock().counts.reset()
    }

    /// Counts, high-water mark, and what is left.
    pub fn memory(&self) -> ArenaMemory {
        let mut state = self.state.lock();
        let left = Self::left_of(&state);
        state.counts.memory(Some(left))
    }

    fn left_of(state: &State) -> usize {
        if state.counts.live == COUNT { 0 } else { size_of::<Room<SIZE>>() }
    }

    fn room(&self, index: u32) -> *mut u8 {
        let rooms: *mut Room<SIZE> = self.rooms.get().cast();
        rooms.wrapping_add(index as usize).cast()
    }
}

impl<const SIZE: usize, const COUNT: usize> Default for Slab<SIZE, COUNT> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SIZE: usize, const COUNT: usize> Mapped for Slab<SIZE, COUNT> {
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let (live, live_max) = {
            let state = self.state.lock();
            (state.counts.live, state.live_max.max(state.counts.live))
        };
        let room = size_of::<Room<SIZE>>();
        tell(Row {
            kind: "slab",
            name: self.name.get().copied().unwrap_or_default(),
            address: core::ptr::from_ref(self).addr(),
            pieces: COUNT,
            piece_bytes: room,
            beside: size_of::<Self>() - COUNT * room,
            used: live,
            used_max: live_max,
        });
    }
}

// SAFETY: SLAB-1; a static does not move.
unsafe impl<const SIZE: usize, const COUNT: usize> BodyAlloc for &'static Slab<SIZE, COUNT> {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.node.show(*self);
        let fits = layout.size() <= size_of::<Room<SIZE>>() && layout.align() <= align_of::<Room<SIZE>>();
        let mut state = self.state.lock();
        if !fits || state.counts.sealed {
            return state.counts.refuse();
        }
        let index = if state.free != NONE {
            let index = state.free - 1;
            // SAFETY: SLAB-1: a free block holds the number of the next.
            state.free = unsafe { self.room(index).cast::<u32>().read() };
            index
        } else if (state.fresh as usize) < COUNT {
            state.fresh += 1;
            state.fresh - 1
        } else {
            return state.counts.refuse();
        };
        state.counts.add(layout.size());
        NonNull::new(self.room(index))
    }

    unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
        let index = (data.addr().get() - self.room(0).addr()) / size_of::<Room<SIZE>>();
        let mut state = self.state.lock();
        // SAFETY: SLAB-1: the block is nobody's again.
        unsafe { data.cast::<u32>().write(state.free) };
        state.free = index as u32 + 1;
        state.live_max = state.live_max.max(state.counts.live);
        state.counts.remove(layout.size());
    }

    fn size(&self) -> Option<usize> {
        Some(COUNT * size_of::<Room<SIZE>>())
    }

    /// The largest body that still fits.
    fn left(&self) -> Option<usize> {
        Some(Slab::<SIZE, COUNT>::left_of(&self.state.lock()))
    }

    fn is_sealed(&self) -> bool {
        self.state.lock().counts.sealed
    }

    fn is_mapped(&self) -> bool {
        true
    }
}
