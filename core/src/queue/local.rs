//! The worker's own run queue: an intrusive first-in, first-out list, touched by its owner only.

use crate::atomics::{Ordering, prefetch};
use crate::task::{Header, TaskRef};
use core::cell::Cell;
use core::ptr;

/// LOCAL-1: a task in it is RUNNING (STATE-6) and its `next` belongs to this list (STATE-3).
#[derive(Debug)]
pub(crate) struct LocalQueue {
    head: Cell<*const Header>,
    tail: Cell<*const Header>,
    #[cfg(feature = "trace")]
    len: Cell<u32>,
}

impl LocalQueue {
    pub const fn new() -> Self {
        Self {
            head: Cell::new(ptr::null()),
            tail: Cell::new(ptr::null()),
            #[cfg(feature = "trace")]
            len: Cell::new(0),
        }
    }

    /// How many; counted for an observer only.
    #[cfg(feature = "trace")]
    pub fn len(&self) -> u32 {
        self.len.get()
    }

    #[inline]
    fn grow(&self, by: i32) {
        #[cfg(feature = "trace")]
        self.len.set(self.len.get().wrapping_add_signed(by));
        let _ = by;
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    #[inline]
    pub fn push(&self, task: TaskRef) {
        task.header().next.store(ptr::null_mut(), Ordering::Relaxed);
        self.grow(1);
        let tail = self.tail.replace(task.0);
        if tail.is_null() {
            self.head.set(task.0);
        } else {
            TaskRef(tail).header().next.store(task.0.cast_mut(), Ordering::Relaxed);
        }
    }

    #[inline]
    pub fn pop(&self) -> Option<TaskRef> {
        let head = self.head.get();
        if head.is_null() {
            return None;
        }
        let next = TaskRef(head).header().next.load(Ordering::Relaxed);
        // Its turn is next.
        prefetch(next);
        self.head.set(next);
        if next.is_null() {
            self.tail.set(ptr::null());
        }
        self.grow(-1);
        Some(TaskRef(head))
    }

    /// Moves all of another list to the end of this one.
    pub fn append(&self, other: &LocalQueue) {
        let first = other.head.replace(ptr::null());
        let last = other.tail.replace(ptr::null());
        if first.is_null() {
            return;
        }
        #[cfg(feature = "trace")]
        self.grow(other.len.replace(0) as i32);
        let tail = self.tail.replace(last);
        if tail.is_null() {
            self.head.set(first);
        } else {
            TaskRef(tail).header().next.store(first.cast_mut(), Ordering::Relaxed);
        }
    }

    /// Takes one task out of the middle; false when it is not here.
    pub fn remove(&self, task: TaskRef) -> bool {
        let mut found = false;
        let rest = LocalQueue::new();
        while let Some(one) = self.pop() {
            if one == task {
                found = true;
            } else {
                rest.push(one);
            }
        }
        self.head.set(rest.head.get());
        self.tail.set(rest.tail.get());
        #[cfg(feature = "trace")]
        self.len.set(rest.len.get());
        found
    }
}
