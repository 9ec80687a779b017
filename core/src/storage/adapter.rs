//! Allocators of the `allocator-api2` crate: bumpalo, talc and others plug in here.

use super::alloc::BodyAlloc;
use allocator_api2::alloc::Allocator;
use core::alloc::Layout;
use core::ptr::NonNull;

/// An `allocator-api2` allocator as a storage for bodies. A reference to a static one is one, too.
#[derive(Debug, Clone, Copy)]
pub struct Adapter<A>(pub A);

// SAFETY: the contract of `Allocator`: memory stays valid as long as a clone lives, and clones are equal.
unsafe impl<A: Allocator + Clone + Send + 'static> BodyAlloc for Adapter<A> {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.0.allocate(layout).ok().map(NonNull::cast)
    }

    unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
        // SAFETY: passed on.
        unsafe { self.0.deallocate(data, layout) };
    }
}
