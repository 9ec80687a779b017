//! Wakers whose clone and drop run no code, so that they may be copied under a lock (WAIT-2).
//!
//! The runtime's own tasks have such wakers. It says so when it starts: a program that uses the locks and channels
//! on another executor links nothing of ours.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use core::task::{RawWakerVTable, Waker};

static PLAIN: AtomicPtr<RawWakerVTable> = AtomicPtr::new(ptr::null_mut());

/// From now on wakers of this vtable are copied.
///
/// # Safety
/// PLAIN-1: the vtable's `clone` gives the same data and vtable, its `drop` does nothing, and neither has any
/// other effect.
#[cfg(not(loom))]
pub(crate) unsafe fn are_plain(vtable: &'static RawWakerVTable) {
    PLAIN.store(ptr::from_ref(vtable).cast_mut(), Ordering::Relaxed);
}

/// A copy, if that runs no code.
#[inline]
pub(crate) fn copy(waker: &Waker) -> Option<Waker> {
    let vtable = waker.vtable();
    // SAFETY: PLAIN-1: it is what a clone would be.
    ptr::eq(vtable, PLAIN.load(Ordering::Relaxed)).then(|| unsafe { Waker::new(waker.data(), vtable) })
}
