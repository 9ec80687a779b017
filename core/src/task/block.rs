//! A task's block: header, bookkeeping, slots, bytes, body, in this order.

use super::header::{Header, TaskCore, TaskRef};
use super::vtable::{BODY_DONE, BODY_PENDING, TaskVtable, busy_beyond};
use super::{pool, state, waker};
use crate::op::Slot;
use core::cell::UnsafeCell;
use core::future::Future;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::pin::Pin;
use core::task::{Context, Poll};

/// The body's room: the future, then the output.
pub(crate) union Body<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
}

/// Zeroed memory is a free block (TASK-2).
#[repr(C)]
pub struct Block<F: Future, const K: usize, const B: usize> {
    core: TaskCore,
    slots: [Slot; K],
    bytes: UnsafeCell<[u8; B]>,
    body: UnsafeCell<MaybeUninit<Body<F>>>,
}

/// The bytes of a block before its own bytes and body: header and bookkeeping 64, and 128 a slot.
pub const fn block_overhead(slots: usize) -> usize {
    size_of::<TaskCore>() + slots * size_of::<Slot>()
}

impl<F: Future + 'static, const K: usize, const B: usize> Block<F, K, B> {
    /// Where the output lies, for every block of this layout with this output type: at the body, whose
    /// place depends on its alignment, so it is computed here and kept in the pool's handle.
    pub const BODY_OFFSET: usize = core::mem::offset_of!(Self, body);
    /// Where the bytes lie.
    pub const BYTES_OFFSET: usize = core::mem::offset_of!(Self, bytes);

    pub(crate) fn vtable(name: &'static str, context: *const ()) -> TaskVtable {
        TaskVtable {
            poll: Self::poll,
            stop: Self::stop,
            drop_output: Self::drop_output,
            release: pool::release_block,
            slots: K as u32,
            busy: busy_beyond(K),
            context,
            name,
        }
    }

    fn body(header: *const Header) -> *mut Body<F> {
        // SAFETY: the vtable is only in headers of blocks of this type (TASK-1).
        unsafe { (*header.cast::<Self>()).body.get().cast() }
    }

    /// Writes the future into a claimed block.
    ///
    /// # Safety
    /// `header` is of a block of this type that the caller has claimed and not published.
    pub(crate) unsafe fn write_future(header: *const Header, future: F) {
        // SAFETY: BODY-1; the block is the caller's.
        unsafe { (&raw mut (*Self::body(header)).future).write(ManuallyDrop::new(future)) };
    }

    unsafe extern "C-unwind" fn poll(header: *const Header) -> i32 {
        let body = Self::body(header);
        let waker = waker::of(TaskRef(header));
        // SAFETY: BODY-2; blocks do not move.
        let future = unsafe { Pin::new_unchecked(&mut *(*body).future) };
        match future.poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => BODY_PENDING,
            Poll::Ready(output) => {
                let gone = BodyGone(header);
                // SAFETY: BODY-2.
                unsafe { ManuallyDrop::drop(&mut (*body).future) };
                core::mem::forget(gone);
                // SAFETY: BODY-1, the future is gone.
                unsafe { (&raw mut (*body).output).write(ManuallyDrop::new(output)) };
                BODY_DONE
            }
        }
    }

    unsafe extern "C-unwind" fn stop(header: *const Header) -> i32 {
        // SAFETY: BODY-2; a live task that starts has its future.
        unsafe { ManuallyDrop::drop(&mut (*Self::body(header)).future) };
        BODY_DONE
    }

    unsafe extern "C-unwind" fn drop_output(header: *const Header) {
        // SAFETY: BODY-2.
        unsafe { ManuallyDrop::drop(&mut (*Self::body(header)).output) };
    }
}

/// Marks a block whose future is gone although its poll ends in a panic, so that nobody stops it again.
struct BodyGone(*const Header);

impl Drop for BodyGone {
    #[cold]
    fn drop(&mut self) {
        TaskRef(self.0).header().state.mark(state::BODY_GONE);
    }
}
