//! What a holder on another thread asks of the loop's thread: bits beside the generation that they are for.
//!
//! REQUEST-1: the word is other than zero from the first request until the loop's thread takes it, and all that
//! time the slot is in one inbox, or on its way there by whoever found the word zero. REQUEST-2: a request never
//! takes the place of one for a later activation: it comes too late, and nobody but its own holder can wait for it.
//! REQUEST-3: the inbox may be that of an earlier activation's worker, so whoever takes requests looks whose the
//! slot is now, and passes them on. The generation is told by its low 29 bits: a request that lies in an inbox while its
//! slot serves half a thousand million others would hit one of them.

use crate::atomics::{AtomicU32, Count, Ordering, const_unless_loom};

pub(super) const BITS: u32 = 3;
pub(super) const MASK: u32 = (1 << BITS) - 1;

/// The waker in the slot's second place is the one to wake.
pub(crate) const REQ_WAKER: u32 = 1;
/// The operation is to end soon.
pub(crate) const REQ_CANCEL: u32 = 2;
/// The holder is gone, or the task has ended.
pub(crate) const REQ_DROP: u32 = 4;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The asker posts the slot (REQUEST-1).
    Post,
    /// It is posted already.
    Posted,
    /// The activation is over (REQUEST-2).
    TooLate,
}

/// See the module. Zero asks nothing.
pub(crate) struct Requests(AtomicU32);

impl Requests {
    const_unless_loom! {
        /// Nothing is asked.
        pub fn new() -> Self { Self(AtomicU32::new(0)) }
    }

    /// Adds `bits` for `generation`.
    pub fn ask(&self, generation: Count, bits: u32) -> Asked {
        let generation = low(generation);
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let (asked, of) = (now & MASK, now >> BITS);
            if asked != 0 && is_later(of, generation) {
                return Asked::TooLate;
            }
            let kept = if of == generation { asked } else { 0 };
            let next = kept | bits | generation << BITS;
            match self.0.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if asked == 0 => return Asked::Post,
                Ok(_) => return Asked::Posted,
                Err(seen) => now = seen,
            }
        }
    }

    /// Takes the bits and the [`low`] generation that they are for; whoever has the slot out of its inbox.
    pub fn take(&self) -> (u32, u32) {
        let word = self.0.swap(0, Ordering::AcqRel);
        (word & MASK, word >> BITS)
    }
}

/// As much of a generation as a request has room for.
#[inline]
pub(crate) fn low(generation: Count) -> u32 {
    generation as u32 & u32::MAX >> BITS
}

/// Whether `a` is of a later activation than `b`.
fn is_later(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) << BITS).cast_signed() > 0
}
