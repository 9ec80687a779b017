//! The system call of the hot path, through a registered descriptor.
//!
//! A registered ring descriptor is an index into a small table of the calling thread, and saves the kernel
//! the look-up and counting of the file at every enter. The `io-uring` crate keeps such an index in a value
//! that borrows the ring, which would have to point into [`RingLoop`](super::RingLoop); so it is done here.

use std::os::fd::AsRawFd;

use io_uring::{EnterFlags, IoUring};

const REGISTER_RING_FDS: libc::c_uint = 20;
const UNREGISTER_RING_FDS: libc::c_uint = 21;

/// The kernel's `io_uring_rsrc_update`.
#[repr(C)]
struct Update {
    offset: u32,
    reserved: u32,
    data: u64,
}

/// How the opening thread names its ring (RING-1): by index if the kernel has one free, else by descriptor.
pub(super) struct Handle {
    number: i32,
    extra: EnterFlags,
}

impl Handle {
    /// Registers the ring with the calling thread (Linux 5.18, at most 16 a thread).
    pub(super) fn new(ring: &IoUring) -> Self {
        let file = ring.as_raw_fd();
        let mut update = Update { offset: u32::MAX, reserved: 0, data: file as u64 };
        if call_register(file, REGISTER_RING_FDS, &mut update) {
            Self { number: update.offset as i32, extra: EnterFlags::REGISTERED_RING }
        } else {
            Self { number: file, extra: EnterFlags::empty() }
        }
    }

    /// Gives the index back; without that the thread would keep the ring open.
    pub(super) fn release(self, ring: &IoUring) {
        if !self.extra.is_empty() {
            let mut update = Update { offset: self.number as u32, reserved: 0, data: 0 };
            call_register(ring.as_raw_fd(), UNREGISTER_RING_FDS, &mut update);
        }
    }

    /// `io_uring_enter`; the error is its number.
    ///
    /// # Safety
    /// The memory that the first `queued` entries name is valid as their operations demand. `argument` points
    /// at `size` bytes of what `flags` say, or is null.
    #[inline]
    pub(super) unsafe fn enter(
        &self,
        queued: usize,
        want: usize,
        flags: EnterFlags,
        argument: *const libc::c_void,
        size: usize,
    ) -> Result<(), i32> {
        let flags = (flags | self.extra).bits();
        // SAFETY: by this function's contract; numbers and the argument are as the kernel expects them.
        let done = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.number,
                queued as u32,
                want as u32,
                flags,
                argument,
                size,
            )
        };
        if done >= 0 { Ok(()) } else { Err(last_error()) }
    }
}

#[cold]
fn last_error() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Whether the kernel did it.
fn call_register(file: i32, what: libc::c_uint, update: &mut Update) -> bool {
    // SAFETY: one live record of the layout that both calls take; the kernel writes into it only now.
    unsafe { libc::syscall(libc::SYS_io_uring_register, file, what, update as *mut Update, 1) == 1 }
}
