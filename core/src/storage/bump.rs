//! A region whose bodies lie one behind the other.
//!
//! BUMP-1: bytes below `top` belong to bodies or are lost until `top` is zero again; those above to nobody. A
//! body that is given back while it is the last one lowers `top` again; when the last of all is given back,
//! `top` is zero.

use super::alloc::BodyAlloc;
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use spin::mutex::SpinMutex;

/// `BYTES` bytes, to be put in a static.
#[repr(C, align(128))]
pub struct Bump<const BYTES: usize> {
    bytes: UnsafeCell<MaybeUninit<[u8; BYTES]>>,
    state: SpinMutex<State>,
}

#[derive(Debug)]
struct State {
    top: usize,
    live: usize,
}

// SAFETY: BUMP-1: each byte has one owner; the state lies under its lock.
unsafe impl<const BYTES: usize> Sync for Bump<BYTES> {}

impl<const BYTES: usize> core::fmt::Debug for Bump<BYTES> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Bump({} of {BYTES})", self.state.lock().top)
    }
}

impl<const BYTES: usize> Bump<BYTES> {
    /// An empty region.
    pub const fn new() -> Self {
        Self {
            bytes: UnsafeCell::new(MaybeUninit::uninit()),
            state: SpinMutex::new(State { top: 0, live: 0 }),
        }
    }

    fn base(&self) -> *mut u8 {
        self.bytes.get().cast()
    }
}

impl<const BYTES: usize> Default for Bump<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: BUMP-1; a static does not move.
unsafe impl<const BYTES: usize> BodyAlloc for &'static Bump<BYTES> {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        let base = self.base();
        let mut state = self.state.lock();
        let from = base.wrapping_add(state.top);
        let start = state.top.checked_add(from.align_offset(layout.align()))?;
        let end = start.checked_add(layout.size()).filter(|end| *end <= BYTES)?;
        state.top = end;
        state.live += 1;
        NonNull::new(base.wrapping_add(start))
    }

    unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
        let start = data.addr().get() - self.base().addr();
        let mut state = self.state.lock();
        state.live -= 1;
        if state.live == 0 {
            state.top = 0;
        } else if start + layout.size() == state.top {
            state.top = start;
        }
    }

    fn size(&self) -> Option<usize> {
        Some(BYTES)
    }

    fn left(&self) -> Option<usize> {
        Some(BYTES - self.state.lock().top)
    }
}
