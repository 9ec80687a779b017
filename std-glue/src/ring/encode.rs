//! Descriptors become submission queue entries.

use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use io_uring::{SubmissionQueue, opcode};
use unboxed_core::event_loop::{Descriptor, RawFile};

use super::bell::Bell;
use super::params::ParamBlocks;

/// User data of a cancel's own completion. It may come after its target's, so it names nobody (RING-4).
pub(super) const TAG_CANCEL: u64 = 1;
/// User data of a close.
pub(super) const TAG_CLOSE: u64 = 2;
/// User data of the poll on the bell.
pub(super) const TAG_BELL: u64 = 3;
/// The bits in which a token is zero and a tag is not.
pub(super) const TAG_BITS: u64 = 63;

/// A free place of the submission queue, and whose completion the entry there brings.
pub(super) struct Place<'ring> {
    /// RING-2: the only view of the queue, which has room.
    pub(super) queue: SubmissionQueue<'ring>,
    pub(super) user_data: u64,
}

impl Place<'_> {
    /// Pushes the entry. It is inlined into every arm of [`encode`], so that fields go from the descriptor
    /// straight into the queue: an entry that is put together on the stack first costs a stalled copy.
    ///
    /// # Safety
    /// As for [`encode`].
    #[inline(always)]
    unsafe fn put(mut self, entry: Entry) -> bool {
        // SAFETY: RING-2: there is room, by the contract of `encode`.
        unsafe { core::hint::assert_unchecked(!self.queue.is_full()) };
        // SAFETY: by the contract of `encode`, the entry names valid memory.
        let pushed = unsafe { self.queue.push(&entry.user_data(self.user_data)) };
        pushed.is_ok()
    }
}

/// Pushes the entry for `op`, unless it is one for [`encode_larger`]. One match, so that an operation costs one
/// jump. A peer that is gone is an error of a send, never a SIGPIPE.
///
/// # Safety
/// The place is free, and the descriptor's memory is valid until the terminal completion.
#[inline(always)]
pub(super) unsafe fn encode(op: &Descriptor, place: Place<'_>) -> bool {
    // SAFETY: each arm passes this function's contract on.
    unsafe {
        match *op {
            Descriptor::Nop => place.put(opcode::Nop::new().build()),
            Descriptor::Read { file, data, len, offset } => {
                place.put(opcode::Read::new(Fd(file), data, len).offset(offset).build())
            }
            Descriptor::Write { file, data, len, offset } => {
                place.put(opcode::Write::new(Fd(file), data, len).offset(offset).build())
            }
            Descriptor::Recv { file, data, len } => place.put(opcode::Recv::new(Fd(file), data, len).build()),
            Descriptor::Send { file, data, len } => {
                place.put(opcode::Send::new(Fd(file), data, len).flags(libc::MSG_NOSIGNAL).build())
            }
            Descriptor::SendZeroCopy { file, data, len } => {
                place.put(opcode::SendZc::new(Fd(file), data, len).flags(libc::MSG_NOSIGNAL).build())
            }
            Descriptor::Accept { file, multishot } => place.put(accept(file, multishot)),
            Descriptor::Poll { file, events, multishot } => {
                place.put(opcode::PollAdd::new(Fd(file), events).multi(multishot).build())
            }
            _ => false,
        }
    }
}

/// Pushes the entry for what happens seldom or needs a parameter block.
///
/// # Safety
/// As for [`encode`].
pub(super) unsafe fn encode_larger(
    op: &Descriptor,
    place: Place<'_>,
    params: &ParamBlocks,
    bell: &Bell,
) -> bool {
    // SAFETY: each arm passes this function's contract on.
    unsafe {
        match *op {
            Descriptor::Fsync { file } => place.put(opcode::Fsync::new(Fd(file)).build()),
            Descriptor::Shutdown { file, how } => place.put(opcode::Shutdown::new(Fd(file), how).build()),
            Descriptor::SendVectored { file, ref ranges, count } => {
                let used = &ranges[..usize::from(count).min(ranges.len())];
                let message = params.put_message(used);
                let flags = libc::MSG_NOSIGNAL as u32;
                place.put(opcode::SendMsg::new(Fd(file), message).flags(flags).build())
            }
            Descriptor::Connect { file, ref address } => {
                let (address, length) = params.put_address(address);
                place.put(opcode::Connect::new(Fd(file), address, length).build())
            }
            _ => place.put(unknown(bell)),
        }
    }
}

/// Accepts, without telling the peer's address; the new descriptor is not inherited by a child program.
#[inline]
fn accept(file: RawFile, multishot: bool) -> Entry {
    if multishot {
        return opcode::AcceptMulti::new(Fd(file)).flags(libc::SOCK_CLOEXEC).build();
    }
    let nowhere = core::ptr::null_mut();
    opcode::Accept::new(Fd(file), nowhere, nowhere.cast()).flags(libc::SOCK_CLOEXEC).build()
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
