//! The ordinary heap, for a first try.

use super::alloc::BodyAlloc;
use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

/// The program's global allocator.
#[derive(Debug, Clone, Copy)]
pub struct Heap;

// SAFETY: the global allocator's contract.
unsafe impl BodyAlloc for Heap {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: a body's layout is never of size zero.
        NonNull::new(unsafe { alloc(layout) })
    }

    unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
        // SAFETY: passed on.
        unsafe { dealloc(data.as_ptr(), layout) };
    }
}
