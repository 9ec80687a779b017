//! A counting allocator: the proof that a service does not allocate.
//!
//! ```
//! #[global_allocator]
//! static HEAP: unboxed::alloc::Counting = unboxed::alloc::Counting::new();
//!
//! let before = HEAP.allocations();
//! let boxed = Box::new(1);
//! assert_eq!(HEAP.allocations() - before, 1);
//! drop(boxed);
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The system's allocator, with a count of what was asked of it.
#[derive(Debug)]
pub struct Counting {
    allocations: AtomicU64,
    forbidden: AtomicBool,
}

impl Counting {
    /// Counts from zero.
    pub const fn new() -> Self {
        Self { allocations: AtomicU64::new(0), forbidden: AtomicBool::new(false) }
    }

    /// Allocations and reallocations so far, in all threads.
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }

    /// From now on (or no longer) an allocation aborts the process with a message: for tests.
    pub fn forbid(&self, forbidden: bool) {
        self.forbidden.store(forbidden, Ordering::Relaxed);
    }

    fn count(&self, layout: Layout) {
        self.allocations.fetch_add(1, Ordering::Relaxed);
        if self.forbidden.load(Ordering::Relaxed) {
            refuse(layout.size());
        }
    }
}

/// Says what was asked for, and ends the process: an allocator must not unwind.
#[cold]
fn refuse(bytes: usize) -> ! {
    let mut text = [0; 96];
    let mut rest = &mut text[..];
    // The text fits; if it did not, its end would be missing.
    let _ = writeln!(rest, "unboxed: {bytes} bytes were allocated where that was forbidden");
    let len = 96 - rest.len();
    // SAFETY: writes a live array to the standard error.
    unsafe { libc::write(2, text.as_ptr().cast(), len) };
    std::process::abort()
}

impl Default for Counting {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every call is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(layout);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, data: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(data, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count(layout);
        // SAFETY: passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, data: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count(layout);
        // SAFETY: passed on.
        unsafe { System.realloc(data, layout, size) }
    }
}
