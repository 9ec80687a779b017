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
//! SLOT-1 and SLOT-2 in `slot.rs` say why each of the stores has one writer. A generation has 61 bits where a word of 64 can
//! be stored at once, and never comes round there; 29 bits did so within a minute.

use crate::atomics::{AtomicCount, Count, Ordering, const_unless_loom};

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
pub(crate) const STATE_MASK: Count = (1 << STATE_BITS) - 1;

/// See the module.
pub(crate) struct SlotWord(AtomicCount);

impl SlotWord {
    const_unless_loom! {
        /// Of a free slot.
        pub fn new() -> Self { Self(AtomicCount::new(0)) }
    }

    /// The word as its owner sees it.
    #[inline]
    pub fn get(&self) -> Count {
        self.0.load(Ordering::Relaxed)
    }

    /// The word, with what whoever wrote it had done before.
    #[inline]
    pub fn look(&self) -> Count {
        self.0.load(Ordering::Acquire)
    }

    /// State and generation of [`look`](Self::look).
    #[inline]
    pub fn observe(&self) -> (u32, Count) {
        let word = self.look();
        (state_of(word), word >> STATE_BITS)
    }

    /// FREE to IN_FLIGHT; `word` is the word of the free slot.
    #[inline]
    pub fn begin(&self, word: Count) {
        debug_assert_eq!(state_of(word), FREE);
        self.0.store(word + Count::from(IN_FLIGHT - FREE), Ordering::Release);
    }

    /// IN_FLIGHT, which `word` says, to READY.
    #[inline]
    pub fn set_ready(&self, word: Count) {
        debug_assert_eq!(state_of(word), IN_FLIGHT);
        self.0.store(word + Count::from(READY - IN_FLIGHT), Ordering::Release);
    }

    /// FREE, in the generation after that of `word`.
    #[inline]
    pub fn set_free_after(&self, word: Count) {
        self.0.store((word | STATE_MASK).wrapping_add(1), Ordering::Release);
    }

    /// Never free again.
    pub fn set_detached(&self) {
        self.0.store(pack(DETACHED, self.get() >> STATE_BITS), Ordering::Release);
    }

    /// READY to TAKING: true for one.
    pub fn claim(&self, generation: Count) -> bool {
        let (from, to) = (pack(READY, generation), pack(TAKING, generation));
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[inline]
pub(crate) fn pack(state: u32, generation: Count) -> Count {
    Count::from(state) | generation << STATE_BITS
}

/// The state in a word.
#[inline]
pub(crate) fn state_of(word: Count) -> u32 {
    (word & STATE_MASK) as u32
}

#[cfg(all(test, not(loom), target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn a_generation_does_not_come_round_with_a_word_of_32_bits() {
        let word = SlotWord::new();
        let first = word.get();
        word.set_free_after(pack(TAKING, Count::from(u32::MAX >> STATE_BITS)));
        assert_ne!(word.get(), first);
        assert_eq!(word.observe(), (FREE, 1 << 29));
    }
}
