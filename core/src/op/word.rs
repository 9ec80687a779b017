//! The slot's state word: what the operation is at, and which activation this is.
//!
//! | step | whose | instruction |
//! |---|---|---|
//! | FREE to IN_FLIGHT | the submitter's, who owns the free slot | store |
//! | IN_FLIGHT to READY | the loop's, its last access | store |
//! | READY to TAKING | a holder's elsewhere, or the ending task's: one of them | compare-and-swap |
//! | any to FREE, next generation | of who owns the slot then | store |
//! | IN_FLIGHT to DETACHED | the loop's, at a close | store |
//!
//! SLOT-1 and SLOT-2 in `slot.rs` say why each of the stores has one writer.
//!
//! The generation is what the state leaves of 32 bits: 29. After 2^29 activations of its slot a handle that was never dropped
//! or polled would match again.

use crate::atomics::{AtomicU32, Ordering, const_unless_loom};

/// No operation.
pub(crate) const FREE: u32 = 0;
/// The loop's.
pub(crate) const IN_FLIGHT: u32 = 1;
/// Its result lies there.
pub(crate) const READY: u32 = 2;
/// A holder elsewhere reads the result; the loop's thread frees it afterwards.
pub(crate) const TAKING: u32 = 3;
/// The runtime was closed while the system held it: never free again.
pub(crate) const DETACHED: u32 = 4;
pub(crate) const STATE_BITS: u32 = 3;
pub(crate) const STATE_MASK: u32 = (1 << STATE_BITS) - 1;

/// See the module.
pub(crate) struct SlotWord(AtomicU32);

impl SlotWord {
    const_unless_loom! {
        /// Of a free slot.
        pub fn new() -> Self { Self(AtomicU32::new(0)) }
    }

    /// The word as its owner sees it.
    #[inline]
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// The word, with what whoever wrote it had done before.
    #[inline]
    pub fn look(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// State and generation of [`look`](Self::look).
    #[inline]
    pub fn observe(&self) -> (u32, u32) {
        let word = self.look();
        (word & STATE_MASK, word >> STATE_BITS)
    }

    /// FREE to IN_FLIGHT; `word` is the word of the free slot.
    #[inline]
    pub fn begin(&self, word: u32) {
        debug_assert_eq!(word & STATE_MASK, FREE);
        self.0.store(word + (IN_FLIGHT - FREE), Ordering::Release);
    }

    /// IN_FLIGHT, which `word` says, to READY.
    #[inline]
    pub fn set_ready(&self, word: u32) {
        debug_assert_eq!(word & STATE_MASK, IN_FLIGHT);
        self.0.store(word + (READY - IN_FLIGHT), Ordering::Release);
    }

    /// FREE, in the generation after that of `word`.
    #[inline]
    pub fn set_free_after(&self, word: u32) {
        self.0.store((word | STATE_MASK).wrapping_add(1), Ordering::Release);
    }

    /// Never free again.
    pub fn set_detached(&self) {
        self.0.store(pack(DETACHED, self.get() >> STATE_BITS), Ordering::Release);
    }

    /// READY to TAKING: true for one.
    pub fn claim(&self, generation: u32) -> bool {
        let (from, to) = (pack(READY, generation), pack(TAKING, generation));
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[inline]
pub(crate) fn pack(state: u32, generation: u32) -> u32 {
    state | generation << STATE_BITS
}

/// The generation as the state word holds it.
#[inline]
pub(crate) fn same_generation(a: u32, b: u32) -> bool {
    (a ^ b) << STATE_BITS == 0
}

/// Whether `a` is of a later activation than `b`.
pub(crate) fn is_later(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) << STATE_BITS).cast_signed() > 0
}
