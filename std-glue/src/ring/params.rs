//! Parameter blocks: what the kernel reads only while it takes an entry, an address or a message.
//!
//! There are as many blocks as places in the submission queue, taken in turn (RING-3), in pages from the system.
//! A ring that never connects and never sends several pieces never touches them.

use core::cell::Cell;
use core::net::SocketAddr;
use core::ptr::NonNull;

use unboxed_core::event_loop::{IO_RANGES_MAX, IoRange};

use super::ladder::SetupError;

/// A message with its pieces behind it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Message {
    header: libc::msghdr,
    pieces: [libc::iovec; IO_RANGES_MAX],
}

/// One block.
#[derive(Clone, Copy)]
#[repr(C)]
union Params {
    message: Message,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// As many as the queue has places.
pub(super) struct ParamBlocks {
    base: NonNull<Params>,
    count: u32,
    /// Blocks taken so far, wrapping.
    taken: Cell<u32>,
}

impl ParamBlocks {
    /// Takes the pages, at once, and for good, if that is asked for. `count` is the queue's size, a power of two.
    pub(super) fn map(count: u32, prefault: bool, lock: bool) -> Result<Self, SetupError> {
        let bytes = count as usize * size_of::<Params>();
        let populate = if prefault { libc::MAP_POPULATE } else { 0 };
        let locked = if lock { libc::MAP_LOCKED } else { 0 };
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | populate | locked);
        // SAFETY: a new anonymous mapping wherever the system likes; nothing existing is touched.
        let pages = unsafe { libc::mmap(core::ptr::null_mut(), bytes, protection, flags, -1, 0) };
        match NonNull::new(pages.cast::<Params>()) {
            Some(base) if pages != libc::MAP_FAILED => Ok(Self { base, count, taken: Cell::new(0) }),
            // EAGAIN or EPERM: the limit on locked memory.
            _ if lock => Err(SetupError::NoMemory),
            _ => Err(SetupError::from_io(&std::io::Error::last_os_error())),
        }
    }

    /// Bytes of them all.
    pub(super) fn bytes(&self) -> usize {
        self.count as usize * size_of::<Params>()
    }

    /// The block whose turn it is.
    fn take(&self) -> *mut Params {
        let number = self.taken.get();
        self.taken.set(number.wrapping_add(1));
        // SAFETY: the index is below `count`, so it lies within the mapping.
        unsafe { self.base.as_ptr().add((number & (self.count - 1)) as usize) }
    }

    /// Writes an address in the system's form.
    ///
    /// # Safety
    /// RING-3: there is room in the queue, and the entry that names the block is pushed next.
    pub(super) unsafe fn put_address(
        &self,
        address: &SocketAddr,
    ) -> (*const libc::sockaddr, libc::socklen_t) {
        let block = self.take();
        let length = match address {
            SocketAddr::V4(v4) => {
                let system = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                    sin_zero: [0; 8],
                };
                // SAFETY: RING-3, by this function's contract; the block has room and alignment for every variant.
                unsafe { (&raw mut (*block).v4).write(system) };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                let system = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    // As std and libc have it: the flow label goes as it came, the scope in the host's order.
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                // SAFETY: as above.
                unsafe { (&raw mut (*block).v6).write(system) };
                size_of::<libc::sockaddr_in6>()
            }
        };
        (block.cast_const().cast(), length as libc::socklen_t)
    }

    /// Writes a message of several pieces, to the peer of a connected socket, in the system's form.
    ///
    /// # Safety
    /// RING-3: there is room in the queue, and the entry that names the block is pushed next.
    #[inline(never)]
    pub(super) unsafe fn put_message(&self, ranges: &[IoRange]) -> *const libc::msghdr {
        let block = self.take();
        // SAFETY: RING-3, by this function's contract: nobody else has the block, and zeros are a message.
        let message = unsafe {
            (&raw mut (*block).message).write(core::mem::zeroed());
            &mut (*block).message
        };
        let count = ranges.len().min(IO_RANGES_MAX);
        for (piece, range) in message.pieces.iter_mut().zip(ranges) {
            *piece = libc::iovec { iov_base: range.data.cast(), iov_len: range.len };
        }
        message.header.msg_iov = message.pieces.as_mut_ptr();
        message.header.msg_iovlen = count as _;
        &raw const message.header
    }
}

impl Drop for ParamBlocks {
    fn drop(&mut self) {
        // SAFETY: RING-3: the ring is gone, so nobody reads them any more; base and length are the mapping's.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.count as usize * size_of::<Params>()) };
    }
}
