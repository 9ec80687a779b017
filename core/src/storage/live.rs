//! How many bodies of a scope hold their futures, and how its thread learns that none does any more.
//!
//! SCOPE-3: the count lies in the scope, which is gone as soon as its thread sees zero. A body is counted out by one
//! step with release, behind everything that its runner had to do with body and scope; its thread looks with acquire.
//! The runner of the last one then wakes the thread's worker, which it has read before, and which is static.

use crate::atomics::{AtomicUsize, Ordering};
use crate::exec::{Worker, current};
use crate::sync::rest_while;
use crate::task::{Header, TaskRef, unref};
use core::cell::Cell;
use core::ptr;

/// See the module.
#[derive(Debug)]
pub(super) struct Live {
    count: AtomicUsize,
    /// The worker on whose thread the scope waits, once there is a body.
    home: Cell<*const Worker>,
}

impl Live {
    pub const fn new() -> Self {
        Self { count: AtomicUsize::new(0), home: Cell::new(ptr::null()) }
    }

    /// One more, on the scope's thread, before its task is published.
    pub fn raise(&self, worker: &'static Worker) {
        self.home.set(worker);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether no body holds its future (SCOPE-3).
    pub fn is_over(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// One less, where all of them end on the scope's thread.
    pub fn lower_here(&self) {
        let left = self.count.load(Ordering::Relaxed) - 1;
        self.count.store(left, Ordering::Relaxed);
        if left == 0 {
            // The turn that this happens in must not sleep: the scope waits for nothing else.
            stay_awake(true);
        }
    }

    /// One less, on any thread.
    ///
    /// # Safety
    /// SCOPE-3: for a body that was counted, once; nothing of body and scope is touched by the caller afterwards.
    pub unsafe fn lower_from_anywhere(this: *const Self) {
        // SAFETY: SCOPE-3: the scope waits for this step. A place of its own for the count: it is gone behind the step.
        let (home, count) = unsafe { ((*this).home.get(), &raw const (*this).count) };
        // SAFETY: as above.
        if unsafe { (*count).fetch_sub(1, Ordering::AcqRel) } == 1 {
            // SAFETY: WORKER-1: it was written with the first body.
            unsafe { &*home }.nudge();
        }
    }
}

/// Whether this thread's worker may not sleep, whatever there is to do.
pub(super) fn stay_awake(awake: bool) {
    if let Some(worker) = current::get() {
        worker.set_wake_at(if awake { 0 } else { u64::MAX });
    }
}

/// A body in the list of its scope, which holds a reference to each of its tasks: so the task's handles need none,
/// and its header is the table's again when the scope is over.
#[derive(Debug)]
pub(super) struct Links {
    next: Cell<*const Links>,
    task: Cell<*const Header>,
    /// Whether the runner had nothing in flight when it left.
    nothing_pinned: Cell<bool>,
}

impl Links {
    pub const fn new() -> Self {
        Self { next: Cell::new(ptr::null()), task: Cell::new(ptr::null()), nothing_pinned: Cell::new(false) }
    }

    /// Puts a body whose task has a reference for its scope in front of the list.
    pub fn join(&self, first: &Cell<*const Links>, task: TaskRef) {
        self.task.set(task.0);
        self.next.set(first.replace(self));
    }

    /// By the runner, before the body is counted out.
    pub fn runner_leaves(&self, task: TaskRef) {
        let core = task.core();
        self.nothing_pinned.set(core.busy.get() == task.vtable().busy && core.spares.get() == 0);
    }

    /// Gives the references back.
    ///
    /// # Safety
    /// SCOPE-1 and SCOPE-3: `first` is a list of bodies that are there and have been counted out.
    pub unsafe fn let_go(first: *const Links) {
        let mut next = first;
        // SAFETY: by this function's contract.
        while let Some(links) = unsafe { next.as_ref() } {
            next = links.next.get();
            let task = TaskRef(links.task.get());
            if links.nothing_pinned.get() {
                // Its runner may be in the last steps, which take no lock and wait for nothing. Without this the
                // next scope could find its table full. What an operation pins comes back with that.
                rest_while(|| task.header().refs.count() > 1);
            }
            unref(task);
        }
    }
}
