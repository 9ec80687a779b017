//! Buffers that move into an operation and come back.

use crate::op::RawBuf;

/// An owned buffer whose bytes stay where they are while it is moved about as raw parts.
///
/// # Safety
/// `into_raw` and `from_raw` are inverse; between them the bytes at `data` stay valid and exclusive,
/// `capacity` of them, of which the first `len` are initialised.
pub unsafe trait IoBuf: Sized + Send + 'static {
    /// Gives up the buffer for its parts.
    fn into_raw(self) -> RawBuf;

    /// The buffer again, with `raw.len` bytes that hold a value.
    ///
    /// # Safety
    /// `raw` came from `into_raw` of this type, once; `len` may have grown to what is initialised now.
    unsafe fn from_raw(raw: RawBuf) -> Self;
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("unboxed: a buffer of 4 GiB or more cannot be lent")
}

// SAFETY: a static slice stays where it is.
unsafe impl IoBuf for &'static mut [u8] {
    fn into_raw(self) -> RawBuf {
        let len = length(self.len());
        RawBuf { data: self.as_mut_ptr(), len, capacity: len }
    }

    unsafe fn from_raw(raw: RawBuf) -> Self {
        // SAFETY: the trait's contract; all of it was initialised, so the whole slice is.
        unsafe { core::slice::from_raw_parts_mut(raw.data, raw.capacity as usize) }
    }
}

#[cfg(feature = "alloc")]
mod heap {
    use super::{IoBuf, RawBuf, length};
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use core::mem::ManuallyDrop;

    // SAFETY: the heap block stays where it is.
    unsafe impl IoBuf for Vec<u8> {
        fn into_raw(self) -> RawBuf {
            let mut vec = ManuallyDrop::new(self);
            let (len, capacity) = (length(vec.len()), length(vec.capacity()));
            RawBuf { data: vec.as_mut_ptr(), len, capacity }
        }

        unsafe fn from_raw(raw: RawBuf) -> Self {
            // SAFETY: the trait's contract.
            unsafe { Vec::from_raw_parts(raw.data, raw.len as usize, raw.capacity as usize) }
        }
    }

    // SAFETY: the heap block stays where it is.
    unsafe impl IoBuf for Box<[u8]> {
        fn into_raw(self) -> RawBuf {
            let len = length(self.len());
            RawBuf { data: Box::into_raw(self).cast(), len, capacity: len }
        }

        unsafe fn from_raw(raw: RawBuf) -> Self {
            let slice = core::ptr::slice_from_raw_parts_mut(raw.data, raw.capacity as usize);
            // SAFETY: the trait's contract; all of it was initialised.
            unsafe { Box::from_raw(slice) }
        }
    }
}
