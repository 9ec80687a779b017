//! What one record says, and how it lies in four words.
//!
//! | word | what |
//! |---|---|
//! | 0 | when, in nanoseconds of the observation's clock |
//! | 1 | kind (8 bits), mark (8), code (16), value (32) |
//! | 2 | the task's address, or the operation's: its slot's address with 16 bits of the activation's generation above |
//! | 3 | the address of the task's vtable, which has the name; of an operation, its task's; or zero |
//!
//! TRACE-3: a vtable's address in a ring was a `&'static TaskVtable`: only this file makes the words, and a reader has them
//! whole (TRACE-2).

use super::ring::WORDS;
use crate::event_loop::Descriptor;
use crate::task::TaskVtable;
use core::ptr;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Kind {
    /// A task was started from this worker's thread.
    Spawned = 1,
    /// A task that waited became ready, by something on this worker's thread or in its inbox.
    Woken,
    /// A poll: it began at `at_ns` and took `value` nanoseconds (at most 4.29 s are told).
    Poll,
    /// A task ended in the poll before.
    Done,
    /// An operation began; the loop has its entry. `operation` names it.
    Queued,
    /// The loop submitted what was queued: `value` operations.
    Submitted,
    /// An operation's terminal completion came.
    Completed,
    /// Its future took the result.
    Taken,
    /// The loop was asked to end it.
    Cancelled,
    /// Its future went away first.
    Orphaned,
    /// The worker slept from `at_ns` on, for `value` microseconds.
    Slept,
    /// It took `value` tasks from another worker.
    Stole,
    /// It rang the doorbell of worker `value`.
    Rang,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::Spawned,
        Self::Woken,
        Self::Poll,
        Self::Done,
        Self::Queued,
        Self::Submitted,
        Self::Completed,
        Self::Taken,
        Self::Cancelled,
        Self::Orphaned,
        Self::Slept,
        Self::Stole,
        Self::Rang,
    ];
}

/// Of a poll that took longer than the limit.
pub(crate) const SLOW: u8 = 1;
/// Of an operation that is a timer: it is on the wheel at once.
pub(crate) const TIMER: u8 = 2;

const OPERATIONS: [&str; 15] = [
    "operation",
    "nop",
    "read",
    "write",
    "recv",
    "send",
    "send zero-copy",
    "send vectored",
    "accept",
    "connect",
    "shutdown",
    "poll",
    "fsync",
    "custom",
    "timer",
];
/// The last of those.
pub(crate) const TIMER_CODE: u16 = 14;

/// Which of those.
pub(crate) fn code_of(op: &Descriptor) -> u16 {
    #[allow(unreachable_patterns, reason = "an operation that is new here has no name yet")]
    match op {
        Descriptor::Nop => 1,
        Descriptor::Read { .. } => 2,
        Descriptor::Write { .. } => 3,
        Descriptor::Recv { .. } => 4,
        Descriptor::Send { .. } => 5,
        Descriptor::SendZeroCopy { .. } => 6,
        Descriptor::SendVectored { .. } => 7,
        Descriptor::Accept { .. } => 8,
        Descriptor::Connect { .. } => 9,
        Descriptor::Shutdown { .. } => 10,
        Descriptor::Poll { .. } => 11,
        Descriptor::Fsync { .. } => 12,
        Descriptor::Custom { .. } => 13,
        _ => 0,
    }
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// When, in nanoseconds of the observation's clock.
    pub at_ns: u64,
    /// What.
    pub kind: Kind,
    /// By kind.
    pub value: u32,
    /// Which task (its header's address), or which activation of which slot; zero where neither is meant.
    pub subject: u64,
    pub(crate) mark: u8,
    pub(crate) code: u16,
    pub(super) vtable: u64,
}

impl Record {
    pub(crate) fn new(at_ns: u64, kind: Kind, subject: u64) -> Self {
        Self { at_ns, kind, value: 0, subject, mark: 0, code: 0, vtable: 0 }
    }

    /// With the name of the task.
    pub(crate) fn of(mut self, vtable: &'static TaskVtable) -> Self {
        self.vtable = ptr::from_ref(vtable).expose_provenance() as u64;
        self
    }

    /// The task's name; of an operation, that of the task that began it. Empty where there is none.
    pub fn task(&self) -> &'static str {
        let vtable = ptr::with_exposed_provenance::<TaskVtable>(self.vtable as usize);
        // SAFETY: TRACE-3.
        unsafe { vtable.as_ref() }.map_or("", |vtable| vtable.name)
    }

    /// What the operation does, of a [`Kind::Queued`].
    pub fn operation(&self) -> &'static str {
        OPERATIONS.get(self.code as usize).copied().unwrap_or(OPERATIONS[0])
    }

    /// Whether a poll took longer than the limit.
    pub fn is_slow(&self) -> bool {
        self.kind == Kind::Poll && self.mark & SLOW != 0
    }

    #[inline]
    pub(crate) fn to_words(self) -> [u64; WORDS] {
        let what = self.kind as u64
            | u64::from(self.mark) << 8
            | u64::from(self.code) << 16
            | u64::from(self.value) << 32;
        [self.at_ns, what, self.subject, self.vtable]
    }

    /// Of words that were read whole.
    pub(crate) fn from_words([at_ns, what, subject, vtable]: [u64; WORDS]) -> Option<Self> {
        let kind = *Kind::ALL.get((what as u8).wrapping_sub(1) as usize)?;
        let (mark, code, value) = ((what >> 8) as u8, (what >> 16) as u16, (what >> 32) as u32);
        Some(Self { at_ns, kind, value, subject, mark, code, vtable })
    }
}
