//! The line of those who wait for a block of a pool.
//!
//! WAITER-1: a node is linked by its [`Reserve`](super::Reserve)'s poll, when that is known to be pinned, and unlinked by
//! whoever hands it a block, or by its drop. WAITER-2: all of it is touched under the pool's lock only.

use super::header::{Header, TaskRef};
use core::cell::Cell;
use core::ptr;
use core::task::Waker;

/// One that waits, in its pinned future.
pub(super) struct Waiter {
    next: Cell<*const Waiter>,
    /// The block that it was handed, until it takes it.
    block: Cell<*const Header>,
    waker: Cell<Option<Waker>>,
    linked: Cell<bool>,
}

impl core::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Waiter({self:p})")
    }
}

impl Waiter {
    pub const fn new() -> Self {
        Self {
            next: Cell::new(ptr::null()),
            block: Cell::new(ptr::null()),
            waker: Cell::new(None),
            linked: Cell::new(false),
        }
    }

    /// Whether it stands in a line. Under the lock.
    pub fn is_linked(&self) -> bool {
        self.linked.get()
    }

    /// The block that it was handed, once. Under the lock.
    pub fn take_block(&self) -> Option<TaskRef> {
        let block = self.block.replace(ptr::null());
        (!block.is_null()).then_some(TaskRef(block))
    }

    /// Whom to wake from now on; the old one is to be dropped after the lock. Under the lock.
    pub fn put_waker(&self, waker: Waker) -> Option<Waker> {
        self.waker.replace(Some(waker))
    }
}

/// First come, first served.
#[derive(Debug)]
pub(super) struct Line {
    first: *const Waiter,
    last: *const Waiter,
}

impl Line {
    pub const fn new() -> Self {
        Self { first: ptr::null(), last: ptr::null() }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// Hands a claimed block to the first, and gives out its waker: the node may be gone as soon as the lock is.
    pub fn hand(&mut self, task: TaskRef) -> Option<Waker> {
        // SAFETY: WAITER-1.
        let waiter = unsafe { self.first.as_ref() }.expect("unboxed: the line is not empty");
        self.first = waiter.next.get();
        if self.first.is_null() {
            self.last = ptr::null();
        }
        waiter.linked.set(false);
        waiter.block.set(task.0);
        waiter.waker.take()
    }

    /// # Safety
    /// WAITER-1: the waiter is pinned, in no line, and its drop removes it.
    pub unsafe fn push(&mut self, waiter: &Waiter) {
        waiter.next.set(ptr::null());
        waiter.linked.set(true);
        if self.last.is_null() {
            self.first = waiter;
        } else {
            // SAFETY: WAITER-1.
            unsafe { &*self.last }.next.set(waiter);
        }
        self.last = waiter;
    }

    /// Takes it out, if it is in.
    pub fn remove(&mut self, waiter: &Waiter) {
        if !waiter.linked.replace(false) {
            return;
        }
        let mut before: *const Waiter = ptr::null();
        let mut at = self.first;
        while !ptr::eq(at, waiter) {
            before = at;
            // SAFETY: WAITER-1: it is in this line, before whose end it is found.
            at = unsafe { &*at }.next.get();
        }
        if before.is_null() {
            self.first = waiter.next.get();
        } else {
            // SAFETY: WAITER-1.
            unsafe { &*before }.next.set(waiter.next.get());
        }
        if ptr::eq(self.last, waiter) {
            self.last = before;
        }
    }
}
