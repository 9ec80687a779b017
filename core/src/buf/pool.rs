//! A static pool of equal buffers, handed out as leases.
//!
//! BUF-1: a buffer belongs to the free list, or to exactly one lease or operation; the list is touched
//! under the lock only.

use super::iobuf::IoBuf;
use crate::memory::{MapNode, Mapped, Row};
use crate::op::RawBuf;
use core::cell::UnsafeCell;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use spin::mutex::SpinMutex;

/// `N` buffers of `SIZE` bytes. Zero until used, so a static one lies in `.bss`.
pub struct BufPool<const N: usize, const SIZE: usize> {
    node: MapNode,
    control: SpinMutex<Control>,
    buffers: [Buffer<SIZE>; N],
}

impl<const N: usize, const SIZE: usize> core::fmt::Debug for BufPool<N, SIZE> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // A copy first: what is written to is foreign code, and does not run under the lock.
        let used = self.memory().used;
        write!(f, "BufPool({used} of {N} buffers of {SIZE} bytes)")
    }
}

struct Control {
    free: *mut Head,
    fresh: u32,
    used: u32,
    used_max: u32,
}

// SAFETY: it points to static buffers.
unsafe impl Send for Control {}

/// What stands before a buffer's bytes.
#[derive(Debug)]
#[repr(C, align(64))]
struct Head {
    control: *const SpinMutex<Control>,
    next: *mut Head,
    size: u32,
}

#[repr(C)]
struct Buffer<const SIZE: usize> {
    head: UnsafeCell<Head>,
    bytes: UnsafeCell<[u8; SIZE]>,
}

// SAFETY: BUF-1.
unsafe impl<const SIZE: usize> Sync for Buffer<SIZE> {}

/// What a pool uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufPoolMemory {
    /// Buffers.
    pub buffers: u32,
    /// Bytes of one, with its head.
    pub buffer_bytes: usize,
    /// In use now.
    pub used: u32,
    /// The most that were in use at once.
    pub used_max: u32,
}

impl<const N: usize, const SIZE: usize> BufPool<N, SIZE> {
    /// A pool with all its buffers free.
    pub const fn new() -> Self {
        const { assert!(SIZE <= u32::MAX as usize, "a buffer has at most 2^32 - 1 bytes") };
        let control = Control { free: core::ptr::null_mut(), fresh: 0, used: 0, used_max: 0 };
        Self {
            node: MapNode::new(),
            control: SpinMutex::new(control),
            buffers: [const {
                Buffer {
                    head: UnsafeCell::new(Head {
                        control: core::ptr::null(),
                        next: core::ptr::null_mut(),
                        size: 0,
                    }),
                    bytes: UnsafeCell::new([0; SIZE]),
                }
            }; N],
        }
    }

    /// A buffer, if one is free.
    pub fn lease(&'static self) -> Option<Lease> {
        self.node.show(self);
        let mut control = self.control.lock();
        let head = if control.free.is_null() {
            let buffer = self.buffers.get(control.fresh as usize)?;
            control.fresh += 1;
            let head = core::ptr::from_ref(buffer).cast::<Head>().cast_mut();
            let new = Head { control: &self.control, next: core::ptr::null_mut(), size: SIZE as u32 };
            // SAFETY: BUF-1, never used before.
            unsafe { buffer.head.get().write(new) };
            head
        } else {
            let head = control.free;
            // SAFETY: BUF-1.
            control.free = unsafe { (*head).next };
            head
        };
        control.used += 1;
        control.used_max = control.used_max.max(control.used);
        Some(Lease { head, len: 0 })
    }

    /// Use and high-water mark.
    pub fn memory(&self) -> BufPoolMemory {
        let control = self.control.lock();
        BufPoolMemory {
            buffers: N as u32,
            buffer_bytes: size_of::<Buffer<SIZE>>(),
            used: control.used,
            used_max: control.used_max,
        }
    }
}

impl<const N: usize, const SIZE: usize> Mapped for BufPool<N, SIZE> {
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let BufPoolMemory { buffers, buffer_bytes, used, used_max } = self.memory();
        tell(Row {
            kind: "buffers",
            name: "",
            address: core::ptr::from_ref(self).addr(),
            pieces: buffers as usize,
            piece_bytes: buffer_bytes,
            beside: size_of::<Self>() - size_of_val(&self.buffers),
            used: used as usize,
            used_max: used_max as usize,
        });
    }
}

impl<const N: usize, const SIZE: usize> Default for BufPool<N, SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

/// One buffer of a [`BufPool`]; goes back when dropped. It reads as the bytes that hold a value.
#[derive(Debug)]
pub struct Lease {
    head: *mut Head,
    len: u32,
}

// SAFETY: BUF-1.
unsafe impl Send for Lease {}
// SAFETY: shared access only reads.
unsafe impl Sync for Lease {}

impl Lease {
    /// Bytes that it can hold.
    pub fn capacity(&self) -> usize {
        // SAFETY: BUF-1.
        unsafe { (*self.head).size as usize }
    }

    /// Sets how many bytes hold a value.
    ///
    /// # Panics
    /// When that is more than the capacity.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity(), "unboxed: {len} bytes in a buffer of {}", self.capacity());
        self.len = len as u32;
    }

    /// All of it, as far as it can hold a value.
    pub fn whole(&mut self) -> &mut [u8] {
        // SAFETY: BUF-1; pool memory is initialised.
        unsafe { core::slice::from_raw_parts_mut(self.data(), self.capacity()) }
    }

    fn data(&self) -> *mut u8 {
        self.head.wrapping_add(1).cast()
    }
}

impl Deref for Lease {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: BUF-1.
        unsafe { core::slice::from_raw_parts(self.data(), self.len as usize) }
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: BUF-1.
        unsafe { core::slice::from_raw_parts_mut(self.data(), self.len as usize) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // SAFETY: BUF-1; the pool is static.
        unsafe {
            let mut control = (*(*self.head).control).lock();
            (*self.head).next = control.free;
            control.free = self.head;
            control.used -= 1;
        }
    }
}

// SAFETY: BUF-1; the bytes lie in a static pool.
unsafe impl IoBuf for Lease {
    fn into_raw(self) -> RawBuf {
        let lease = ManuallyDrop::new(self);
        RawBuf { data: lease.data(), len: lease.len, capacity: lease.capacity() as u32 }
    }

    unsafe fn from_raw(raw: RawBuf) -> Self {
        Self { head: raw.data.cast::<Head>().wrapping_sub(1), len: raw.len }
    }
}
