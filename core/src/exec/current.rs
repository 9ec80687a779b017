//! Which worker runs on this thread.
//!
//! The core has no threads of its own, so the port says where the thread's cell lies: exactly one crate
//! of a program defines it with [`current_worker_cell!`](crate::current_worker_cell) (`unboxed` does, in a
//! thread-local).
//!
//! CURRENT-1: the cell holds null or a worker whose executor is inside a turn, or entered, on this very
//! thread.

use super::worker::Worker;
use core::cell::Cell;
use core::ptr;

unsafe extern "Rust" {
    safe fn __unboxed_current_worker() -> *const Cell<*const Worker>;
}

/// Defines where a thread keeps its current worker, by an expression of type `*const Cell<*const Worker>`.
///
/// # Safety
/// The word `unsafe` in front stands for this contract: the pointer is valid for the thread's life, to a cell
/// that is this thread's own, at first null, and that nobody else touches (CURRENT-1).
#[macro_export]
macro_rules! current_worker_cell {
    (unsafe $cell:expr) => {
        // SAFETY: the name is the core's, and a program defines it once or does not link.
        #[unsafe(no_mangle)]
        extern "Rust" fn __unboxed_current_worker() -> *const ::core::cell::Cell<*const $crate::exec::Worker>
        {
            $cell
        }
    };
}

#[inline]
fn cell() -> &'static Cell<*const Worker> {
    // SAFETY: CURRENT-1, by the contract of `current_worker_cell!`. Used at once, on this thread.
    unsafe { &*__unboxed_current_worker() }
}

/// The worker whose turn this thread is in, or null.
#[inline]
pub(crate) fn worker() -> *const Worker {
    cell().get()
}

/// The worker whose turn this thread is in.
#[inline]
pub(crate) fn get() -> Option<&'static Worker> {
    // SAFETY: CURRENT-1 and WORKER-1.
    unsafe { worker().as_ref() }
}

/// Makes `worker` the thread's current one until dropped.
#[derive(Debug)]
pub(crate) struct Entered;

impl Entered {
    /// # Panics
    /// When this thread is inside a runtime already.
    pub fn new(worker: &'static Worker) -> Self {
        assert!(
            cell().get().is_null(),
            "unboxed: this thread is inside a runtime already; a second one cannot run within a task \
             of the first: spawn a task instead, or use another thread"
        );
        cell().set(worker);
        worker.comes_back();
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        cell().set(ptr::null());
    }
}

/// Takes the thread out of the runtime that it is inside of, for the closing of another one or for a poll that blocks.
#[derive(Debug)]
pub(crate) struct Outside(*const Worker);

impl Outside {
    pub fn new() -> Self {
        Self(cell().replace(ptr::null()))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        cell().set(self.0);
    }
}
