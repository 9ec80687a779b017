//! A body that is Rust: the future, then the output, in one place.

use super::header::{Header, TaskRef};
use super::vtable::{BODY_DONE, BODY_PENDING};
use super::{state, waker};
use core::future::Future;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::task::{Context, Poll};

/// BODY-1 says which of the two lies there. Both begin where the body does: a handle finds the output there.
#[repr(C)]
pub(crate) union Body<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
}

impl<F: Future> Body<F> {
    /// A body that begins.
    pub const fn new(future: F) -> Self {
        Self { future: ManuallyDrop::new(future) }
    }

    /// Polls the future where it lies; when it is ready, its output takes its place.
    ///
    /// # Safety
    /// BODY-2: the runner's, RUNNING, of the live task `header`; bodies do not move.
    pub unsafe fn poll(this: *mut Self, header: *const Header) -> i32 {
        let waker = waker::of(TaskRef(header));
        // SAFETY: passed on.
        let future = unsafe { Pin::new_unchecked(&mut *(*this).future) };
        match future.poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => BODY_PENDING,
            Poll::Ready(output) => {
                let gone = BodyGone(header);
                // SAFETY: passed on.
                unsafe { ManuallyDrop::drop(&mut (*this).future) };
                core::mem::forget(gone);
                // SAFETY: BODY-1, the future is gone.
                unsafe { (&raw mut (*this).output).write(ManuallyDrop::new(output)) };
                BODY_DONE
            }
        }
    }

    /// Drops the future.
    ///
    /// # Safety
    /// BODY-2: a live task that starts has its future.
    pub unsafe fn drop_future(this: *mut Self) {
        // SAFETY: passed on.
        unsafe { ManuallyDrop::drop(&mut (*this).future) };
    }

    /// Drops the output.
    ///
    /// # Safety
    /// BODY-2: the output is there, and the caller's.
    pub unsafe fn drop_output(this: *mut Self) {
        // SAFETY: passed on.
        unsafe { ManuallyDrop::drop(&mut (*this).output) };
    }

    /// Takes the output.
    ///
    /// # Safety
    /// BODY-2: the output is there, and the caller's.
    pub unsafe fn take_output(this: *mut Self) -> F::Output {
        // SAFETY: passed on.
        ManuallyDrop::into_inner(unsafe { (&raw const (*this).output).read() })
    }
}

/// Marks a task whose future is gone although its poll ends in a panic, so that nobody stops it again.
struct BodyGone(*const Header);

impl Drop for BodyGone {
    #[cold]
    fn drop(&mut self) {
        TaskRef(self.0).header().state.mark(state::BODY_GONE);
    }
}
