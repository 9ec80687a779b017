//! A task's waker: its header's address and one vtable. Clone and drop do nothing (TASK-1).

use super::header::{Header, TaskRef};
use crate::exec::Worker;
use core::mem::ManuallyDrop;
use core::task::{RawWaker, RawWakerVTable, Waker};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, forget);

unsafe fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    TaskRef(data.cast::<Header>()).wake();
}

unsafe fn forget(_: *const ()) {}

/// The task's waker.
#[inline]
pub(crate) fn of(task: TaskRef) -> ManuallyDrop<Waker> {
    // SAFETY: TASK-1: the header outlives every waker, and the functions are thread-safe.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(task.0.cast(), &VTABLE)) })
}

/// The task of a waker, when it is one of ours.
#[inline]
pub(crate) fn task_of(waker: &Waker) -> Option<TaskRef> {
    core::ptr::eq(waker.vtable(), &VTABLE).then(|| TaskRef(waker.data().cast()))
}

/// A wake on the thread of `worker`, within its turn.
#[inline]
pub(crate) fn wake_by(waker: Waker, worker: &'static Worker) {
    match task_of(&waker) {
        Some(task) => {
            // One of ours has nothing to drop (TASK-1).
            core::mem::forget(waker);
            task.wake_by(worker);
        }
        None => waker.wake(),
    }
}

/// A clone, without the indirect call for one of ours.
#[inline]
pub(crate) fn clone_of(waker: &Waker) -> Waker {
    match task_of(waker) {
        Some(task) => ManuallyDrop::into_inner(of(task)),
        None => waker.clone(),
    }
}
