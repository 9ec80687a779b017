//! The wakers of one reaping, until dispatch. A fixed ring, so a panic in one wake loses none of the rest.

use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::task::Waker;

const BATCH_MAX: usize = 256;

/// BATCH-1: the entries from `head` on, `len` of them, hold wakers; only the worker's thread looks.
pub(crate) struct Batch {
    head: Cell<u32>,
    len: Cell<u32>,
    wakers: UnsafeCell<[MaybeUninit<Waker>; BATCH_MAX]>,
}

impl core::fmt::Debug for Batch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Batch({})", self.len.get())
    }
}

impl Batch {
    pub const fn new() -> Self {
        Self {
            head: Cell::new(0),
            len: Cell::new(0),
            wakers: UnsafeCell::new([const { MaybeUninit::uninit() }; BATCH_MAX]),
        }
    }

    /// Whether a completion must wait: one may bring two wakers, where its handle has moved to another
    /// thread.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len.get() as usize >= BATCH_MAX - 1
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len.get() == 0
    }

    #[inline]
    fn entry(&self, index: u32) -> *mut MaybeUninit<Waker> {
        let index = index as usize % BATCH_MAX;
        // SAFETY: the index is inside the array.
        unsafe { self.wakers.get().cast::<MaybeUninit<Waker>>().add(index) }
    }

    #[inline]
    pub fn push(&self, waker: Waker) {
        let full = self.len.get() as usize == BATCH_MAX;
        assert!(!full, "unboxed: a loop reported a completion to a full reaper");
        let len = self.len.get();
        // SAFETY: BATCH-1; this entry is free.
        unsafe { (*self.entry(self.head.get().wrapping_add(len))).write(waker) };
        self.len.set(len + 1);
    }

    #[inline]
    pub fn pop(&self) -> Option<Waker> {
        let len = self.len.get();
        if len == 0 {
            return None;
        }
        let head = self.head.get();
        self.head.set(head.wrapping_add(1));
        self.len.set(len - 1);
        // SAFETY: BATCH-1; the entry is ours once `head` has passed it.
        Some(unsafe { (*self.entry(head)).assume_init_read() })
    }
}
