//! A task's block: header, bookkeeping, slots, bytes, body, in this order.

use super::body::Body;
use super::header::{Header, TaskCore};
use super::pool;
use super::vtable::{BODY_DONE, TaskVtable, busy_beyond};
use crate::op::Slot;
use core::cell::UnsafeCell;
use core::future::Future;
use core::mem::MaybeUninit;

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
    /// BYTES-5.
    const BYTES_PLACE: () = assert!(core::mem::offset_of!(Self, bytes) == block_overhead(K));

    pub(crate) fn vtable(name: &'static str, context: *const ()) -> TaskVtable {
        let () = Self::BYTES_PLACE;
        TaskVtable {
            poll: Self::poll,
            stop: Self::stop,
            drop_output: Self::drop_output,
            release: pool::release_block,
            body: Self::BODY_OFFSET as u32,
            slots: K as u32,
            bytes: B as u32,
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
        unsafe { Self::body(header).write(Body::new(future)) };
    }

    unsafe extern "C-unwind" fn poll(header: *const Header) -> i32 {
        // SAFETY: BODY-2.
        unsafe { Body::poll(Self::body(header), header) }
    }

    unsafe extern "C-unwind" fn stop(header: *const Header) -> i32 {
        // SAFETY: BODY-2; a live task that starts has its future.
        unsafe { Body::drop_future(Self::body(header)) };
        BODY_DONE
    }

    unsafe extern "C-unwind" fn drop_output(header: *const Header) {
        // SAFETY: BODY-2.
        unsafe { Body::drop_output(Self::body(header)) };
    }
}
