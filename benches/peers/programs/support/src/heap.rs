//! Counts allocations, in runs that are for counting and not for timing: then the harness hands over a shared page.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

/// The page's first words, as the harness knows them: allocations, and their bytes.
type Counts = [AtomicU64; 2];

static COUNTS: AtomicPtr<Counts> = AtomicPtr::new(null_mut());

struct Counted;

#[global_allocator]
static HEAP: Counted = Counted;

/// Maps the page whose descriptor the harness names, if it does.
pub fn begin() {
    let Ok(fd) = std::env::var("PEER_COUNTS_FD") else { return };
    let fd: i32 = fd.parse().expect("a descriptor");
    // SAFETY: a new mapping, which stays for ever.
    let page =
        unsafe { libc::mmap(null_mut(), 4096, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0) };
    assert!(page != libc::MAP_FAILED, "the harness's page");
    COUNTS.store(page.cast(), Relaxed);
}

/// Allocations and bytes so far; `None` in a run for timing.
pub fn counts() -> Option<[u64; 2]> {
    // SAFETY: null, or the page of `begin`.
    let counts = unsafe { COUNTS.load(Relaxed).as_ref() }?;
    Some([counts[0].load(Relaxed), counts[1].load(Relaxed)])
}

fn count(bytes: usize) {
    // SAFETY: null, or the page of `begin`.
    if let Some(counts) = unsafe { COUNTS.load(Relaxed).as_ref() } {
        counts[0].fetch_add(1, Relaxed);
        counts[1].fetch_add(bytes as u64, Relaxed);
    }
}

// SAFETY: every call is the system allocator's.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, data: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(data, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, data: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: passed on.
        unsafe { System.realloc(data, layout, size) }
    }
}
