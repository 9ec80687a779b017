//! Equal blocks, each for one body.
//!
//! SLAB-1: a block is in the free list, above `fresh`, or one body's. A free block's first bytes hold the
//! number of the next free one, counted from one, so that an empty slab is all zeros.

use super::alloc::BodyAlloc;
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use spin::mutex::SpinMutex;

const NONE: u32 = 0;

/// One block, aligned for what futures usually hold.
#[repr(C, align(64))]
struct Room<const SIZE: usize>(MaybeUninit<[u8; SIZE]>);

/// `COUNT` blocks of `SIZE` bytes (rounded up to 64), to be put in a static.
pub struct Slab<const SIZE: usize, const COUNT: usize> {
    rooms: UnsafeCell<MaybeUninit<[Room<SIZE>; COUNT]>>,
    state: SpinMutex<State>,
}

#[derive(Debug)]
struct State {
    free: u32,
    fresh: u32,
    used: u32,
}

// SAFETY: SLAB-1; the state lies under its lock.
unsafe impl<const SIZE: usize, const COUNT: usize> Sync for Slab<SIZE, COUNT> {}

impl<const SIZE: usize, const COUNT: usize> core::fmt::Debug for Slab<SIZE, COUNT> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Slab({} of {COUNT} blocks of {SIZE})", self.state.lock().used)
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
            state: SpinMutex::new(State { free: NONE, fresh: 0, used: 0 }),
        }
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

// SAFETY: SLAB-1; a static does not move.
unsafe impl<const SIZE: usize, const COUNT: usize> BodyAlloc for &'static Slab<SIZE, COUNT> {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.size() > size_of::<Room<SIZE>>() || layout.align() > align_of::<Room<SIZE>>() {
            return None;
        }
        let mut state = self.state.lock();
        let index = if state.free != NONE {
            let index = state.free - 1;
            // SAFETY: SLAB-1: a free block holds the number of the next.
            state.free = unsafe { self.room(index).cast::<u32>().read() };
            index
        } else if (state.fresh as usize) < COUNT {
            state.fresh += 1;
            state.fresh - 1
        } else {
            return None;
        };
        state.used += 1;
        NonNull::new(self.room(index))
    }

    unsafe fn give(&self, data: NonNull<u8>, _: Layout) {
        let index = (data.addr().get() - self.room(0).addr()) / size_of::<Room<SIZE>>();
        let mut state = self.state.lock();
        // SAFETY: SLAB-1: the block is nobody's again.
        unsafe { data.cast::<u32>().write(state.free) };
        state.free = index as u32 + 1;
        state.used -= 1;
    }

    fn size(&self) -> Option<usize> {
        Some(COUNT * size_of::<Room<SIZE>>())
    }

    /// The largest body that still fits.
    fn left(&self) -> Option<usize> {
        let full = self.state.lock().used as usize == COUNT;
        Some(if full { 0 } else { size_of::<Room<SIZE>>() })
    }
}
