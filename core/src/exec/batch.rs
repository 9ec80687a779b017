//! The wakers of one reaping, until dispatch. A fixed ring, so a panic in one wake loses none of the rest.

use crate::ahead;
use crate::task::{self, Header};
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::task::Waker;

const BATCH_MAX: usize = 256;

/// BATCH-1: the `len` entries before `tail` hold wakers; only the worker's thread looks. BATCH-2: a waker of
/// `last`, which is null or a task that one of them wakes, is not kept a second time.
pub(crate) struct Batch {
    tail: Cell<u32>,
    len: Cell<u32>,
    last: Cell<*const Header>,
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
            tail: Cell::new(0),
            len: Cell::new(0),
            last: Cell::new(core::ptr::null()),
            wakers: UnsafeCell::new([const { MaybeUninit::uninit() }; BATCH_MAX]),
        }
    }

    /// Whether a completion must wait: one may bring two wakers, where its handle has moved to another
    /// thread.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len.get() as usize >= BATCH_MAX - 1
    }

    /// For how many completions there is room for certain.
    #[inline]
    pub fn room(&self) -> usize {
        (BATCH_MAX - self.len.get() as usize) / 2
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

    /// Keeps the waker until [`pop`](Self::pop), unless its task is about to be woken anyway (BATCH-2).
    #[inline]
    pub fn push(&self, waker: Waker) {
        if let Some(task) = task::task_of(&waker) {
            if task.0 == self.last.get() {
                // One of ours has nothing to drop (TASK-1).
                return core::mem::forget(waker);
            }
            self.last.set(task.0);
            ahead::fetch(task.0);
        }
        let len = self.len.get();
        let full = len as usize == BATCH_MAX;
        assert!(!full, "unboxed: a loop reported a completion to a full reaper");
        let tail = self.tail.get();
        // SAFETY: BATCH-1; this entry is free.
        unsafe { (*self.entry(tail)).write(waker) };
        self.tail.set(tail.wrapping_add(1));
        self.len.set(len + 1);
    }

    #[inline]
    pub fn pop(&self) -> Option<Waker> {
        let len = self.len.get();
        if len == 0 {
            return None;
        }
        self.len.set(len - 1);
        self.last.set(core::ptr::null());
        // SAFETY: BATCH-1; the entry is ours once `len` no longer counts it.
        Some(unsafe { (*self.entry(self.tail.get().wrapping_sub(len))).assume_init_read() })
    }
}
