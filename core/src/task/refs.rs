//! The count of a task: one for its runner and join handle together (JOIN-1), its abort handles, and what R7 pins.
//!
//! REFS-1: a reference is made from a reference, never from zero, except by the publisher of a claimed
//! block. REFS-2: whoever takes the count from one to zero releases the block, exactly once.
//! REFS-3: a count of one seen by its holder needs no atomic subtraction, since nobody else can add.

use crate::atomics::{AtomicU32, Ordering, const_unless_loom};

/// Counted references; aborts at half range.
#[derive(Debug)]
pub struct Refs(AtomicU32);

/// Half of the range: an overflow would need two thousand million leaked handles.
const REFS_MAX: u32 = u32::MAX / 2;

impl Refs {
    const_unless_loom! {
        /// No reference.
        pub fn new() -> Self { Self(AtomicU32::new(0)) }
    }

    /// The publisher's first count, before anyone else can see the block (REFS-1).
    #[inline]
    pub fn begin(&self, count: u32) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// Adds references on behalf of one that the caller holds.
    ///
    /// # Panics
    /// When there are too many; none is added then, so that whoever catches the panic cannot go on to zero.
    #[inline]
    pub fn add(&self, count: u32) {
        let before = self.0.fetch_add(count, Ordering::Relaxed);
        if before == 0 || before >= REFS_MAX {
            self.refuse(count);
        }
    }

    #[cold]
    fn refuse(&self, count: u32) -> ! {
        self.0.fetch_sub(count, Ordering::Relaxed);
        panic!("unboxed: a task's reference count left its range");
    }

    /// Gives one back; true when it was the last one and the caller must release.
    #[inline]
    #[must_use]
    pub fn drop_one(&self) -> bool {
        if self.0.load(Ordering::Acquire) == 1 {
            self.0.store(0, Ordering::Relaxed);
            return true;
        }
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Gives back references that are known not to be the last.
    #[inline]
    pub fn drop_excess(&self, count: u32) {
        if count != 0 {
            let before = self.0.fetch_sub(count, Ordering::AcqRel);
            debug_assert!(before > count);
        }
    }

    /// The count now, for tests and reports.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}

impl Default for Refs {
    fn default() -> Self {
        Self::new()
    }
}
