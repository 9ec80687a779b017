//! What lies in a slot's body, and where a slot waits while it is neither the loop's nor its holder's.

use super::keep::Keep;
use super::slot::Slot;
use crate::atomics::{AtomicU8, Ordering};

/// A timer's place on the wheel.
#[derive(Clone, Copy)]
pub(crate) struct TimerBody {
    pub deadline: u64,
    pub back: *const Slot,
    pub place: u16,
}

impl TimerBody {
    pub const NEW: Self = Self { deadline: 0, back: core::ptr::null(), place: 0 };
}

/// What the kind of operation needs beside the hot line.
pub(crate) union SlotBody {
    pub keep: Keep,
    pub timer: TimerBody,
}

/// A [`SlotKind`] that a holder on another thread may read too late.
pub(crate) struct SharedKind(AtomicU8);

impl SharedKind {
    pub const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    #[inline]
    pub fn get(&self) -> SlotKind {
        match self.0.load(Ordering::Relaxed) {
            0 => SlotKind::Plain,
            1 => SlotKind::Keep,
            2 => SlotKind::Timer,
            _ => SlotKind::Multi,
        }
    }

    #[inline]
    pub fn set(&self, kind: SlotKind) {
        self.0.store(kind as u8, Ordering::Relaxed);
    }
}

/// Why an IN_FLIGHT slot is linked in one of its worker's lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Queued {
    /// It is not, or it is a timer on the wheel.
    No = 0,
    /// The loop was full: it has not been submitted.
    Submit = 1,
    /// The same, and its holder has cancelled it.
    SubmitCancelled = 2,
    /// An orphan whose cancel the loop had no room for.
    Cancel = 3,
    /// The same, and its terminal completion has come meanwhile.
    CancelDone = 4,
}

/// What lies in the slot's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum SlotKind {
    /// Nothing.
    Plain = 0,
    /// A [`Keep`].
    Keep = 1,
    /// A timer on the worker's wheel.
    Timer = 2,
    /// A [`Keep`] that takes the results of a multishot.
    Multi = 3,
}
