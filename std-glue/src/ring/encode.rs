//! Descriptors become submission queue entries. One function a family; nothing here touches the queue.

use io_uring::opcode;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use unboxed_core::event_loop::{Descriptor, RawFile};


use super::bell::Bell;
use super::params::{self, Params};

/// User data of a cancel's own completion. It may come after its target's, so it names nobody (RING-4).
pub(super) const TAG_CANCEL: u64 = 1;
/// User data of a close.
pub(super) const TAG_CLOSE: u64 = 2;
/// User data of the poll on the bell.
pub(super) const TAG_BELL: u64 = 3;
/// The bits in which a token is zero and a tag is not.
pub(super) const TAG_BITS: u64 = 63;

/// The entry for `op`, without user data.
///
/// # Safety
/// `block` is the block of the place at which the entry is pushed next (RING-3).
#[inline]
pub(super) unsafe fn encode(op: &Descriptor, block: *mut Params, bell: &Bell) -> Entry {
    match op {
        Descriptor::Nop => opcode::Nop::new().build(),
        Descriptor::Read { .. } | Descriptor::Write { .. } | Descriptor::Fsync { .. } => file(op, bell),
        Descriptor::Recv { .. } | Descriptor::Send { .. } | Descriptor::SendZeroCopy { .. } => transfer(op, bell),
        Descriptor::Accept { .. } | Descriptor::Shutdown { .. } | Descriptor::Poll { .. } => control(op, bell),
        Descriptor::WriteVectored { .. } | Descriptor::Connect { .. } => {
            // SAFETY: by this function's contract.
            unsafe { with_parameters(op, block, bell) }
        }
        _ => unknown(bell),
    }
}

/// Reads, writes and flushes of files.
#[inline]
fn file(op: &Descriptor, bell: &Bell) -> Entry {
    match *op {
        Descriptor::Read { file, data, len, offset } => opcode::Read::new(Fd(file), data, len).offset(offset).build(),
        Descriptor::Write { file, data, len, offset } => opcode::Write::new(Fd(file), data, len).offset(offset).build(),
        Descriptor::Fsync { file } => opcode::Fsync::new(Fd(file)).build(),
        _ => unknown(bell),
    }
}

/// Bytes to and from sockets. A peer that is gone is an error, never a SIGPIPE.
#[inline]
fn transfer(op: &Descriptor, bell: &Bell) -> Entry {
    match *op {
        Descriptor::Recv { file, data, len } => opcode::Recv::new(Fd(file), data, len).build(),
        Descriptor::Send { file, data, len } => {
            opcode::Send::new(Fd(file), data, len).flags(libc::MSG_NOSIGNAL).build()
        }
        Descriptor::SendZeroCopy { file, data, len } => {
            opcode::SendZc::new(Fd(file), data, len).flags(libc::MSG_NOSIGNAL).build()
        }
        _ => unknown(bell),
    }
}

/// What moves no bytes of ours.
#[inline]
fn control(op: &Descriptor, bell: &Bell) -> Entry {
    match *op {
        Descriptor::Accept { file, multishot: true } => {
            opcode::AcceptMulti::new(Fd(file)).flags(libc::SOCK_CLOEXEC).build()
        }
        Descriptor::Accept { file, multishot: false } => {
            let nowhere = core::ptr::null_mut();
            opcode::Accept::new(Fd(file), nowhere, nowhere.cast()).flags(libc::SOCK_CLOEXEC).build()
        }
        Descriptor::Shutdown { file, how } => opcode::Shutdown::new(Fd(file), how).build(),
        Descriptor::Poll { file, events, multishot } => opcode::PollAdd::new(Fd(file), events).multi(multishot).build(),
        _ => unknown(bell),
    }
}

/// What needs a parameter block.
///
/// # Safety
/// As for [`encode`].
unsafe fn with_parameters(op: &Descriptor, block: *mut Params, bell: &Bell) -> Entry {
    match op {
        Descriptor::WriteVectored { file, ranges, count } => {
            let used = &ranges[..usize::from(*count).min(ranges.len())];
            // SAFETY: by this function's contract.
            let (pieces, count) = unsafe { params::put_pieces(block, used) };
            opcode::Writev::new(Fd(*file), pieces, count).offset(u64::MAX).build()
        }
        Descriptor::Connect { file, address } => {
            // SAFETY: by this function's contract.
            let (address, length) = unsafe { params::put_address(block, address) };
            opcode::Connect::new(Fd(*file), address, length).build()
        }
        _ => unknown(bell),
    }
}

/// What no ring can do. Only the kernel ends operations (RING-7), so it gets a command for a file that has no
/// commands, the bell, and answers EOPNOTSUPP.
#[cold]
fn unknown(bell: &Bell) -> Entry {
    opcode::UringCmd16::new(Fd(bell.file()), 0).build()
}

/// Asks that the operation with this user data end.
pub(super) fn cancel(user_data: u64, quiet: Flags) -> Entry {
    opcode::AsyncCancel::new(user_data).build().flags(quiet).user_data(TAG_CANCEL)
}

/// Closes a descriptor.
pub(super) fn close(file: RawFile, quiet: Flags) -> Entry {
    opcode::Close::new(Fd(file)).build().flags(quiet).user_data(TAG_CLOSE)
}

/// Listens to the bell until told otherwise.
pub(super) fn listen(bell: &Bell) -> Entry {
    let events = libc::POLLIN as u32;
    opcode::PollAdd::new(Fd(bell.file()), events).multi(true).build().user_data(TAG_BELL)
}
