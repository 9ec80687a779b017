//! Who still uses an open descriptor: handles, operations that count themselves, and operations that a handle
//! answers for.
//!
//! A locked instruction at each begin and each end would be most of what an operation costs, so an operation of a
//! handle that has its lane to itself is *lent* the file: a plain store says so, and another takes it back while the
//! handle is borrowed and thus alive. Only where the handle does not see the end (the future was leaked or dropped) do
//! the end and the last handle have to agree.
//!
//! | state of a lane | means |
//! |---|---|
//! | IDLE | nothing is lent, or its end was seen |
//! | LENT | an operation is in flight that `count` does not know |
//! | OWED | the same, and nobody else uses the file any more: `count` knows it now |
//!
//! USES-1: a lane is lent by its handle alone, which is borrowed for it exclusively, so IDLE to LENT is a plain store.
//! USES-2: the end of a lent operation is a plain store in a poll that borrows the handle, and a swap everywhere else.
//! USES-3: whoever brings `count` to zero, and it alone, turns LENT into OWED, counting before it does; there is no
//! handle left then, so nothing is lent meanwhile.

use crate::atomics::{AtomicU8, AtomicU32, Ordering, const_unless_loom};

/// Which direction an operation works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Direction {
    Read = 0,
    Write = 1,
}

const IDLE: u8 = 0;
const LENT: u8 = 1;
const OWED: u8 = 2;

/// See the module. Zeroed memory is a file that nobody uses.
#[derive(Debug)]
pub(crate) struct Uses {
    count: AtomicU32,
    lanes: [AtomicU8; 2],
}

impl Uses {
    const_unless_loom! {
        /// Nobody uses it.
        pub fn new() -> Self {
            Self { count: AtomicU32::new(0), lanes: [AtomicU8::new(IDLE), AtomicU8::new(IDLE)] }
        }
    }

    /// The first handle.
    pub fn open(&self) {
        self.count.store(1, Ordering::Release);
    }

    /// One more, by someone who has a handle.
    #[inline]
    pub fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// One that was counted goes; true when it was the last, and the descriptor is to be closed.
    #[inline]
    #[must_use]
    pub fn release(&self) -> bool {
        self.count.fetch_sub(1, Ordering::AcqRel) == 1 && self.at_zero()
    }

    /// Lends the file to an operation of this lane, unless it has been lent to one already (USES-1).
    #[inline]
    #[must_use]
    pub fn lend(&self, direction: Direction) -> bool {
        let lane = &self.lanes[direction as usize];
        let idle = lane.load(Ordering::Acquire) == IDLE;
        if idle {
            lane.store(LENT, Ordering::Relaxed);
        }
        idle
    }

    /// A lent operation has ended, in a poll that borrows the handle (USES-2).
    #[inline]
    pub fn take_back(&self, direction: Direction) {
        self.lanes[direction as usize].store(IDLE, Ordering::Release);
    }

    /// A lent operation has ended elsewhere (USES-2); true when the descriptor is to be closed.
    #[must_use]
    pub fn give_back(&self, direction: Direction) -> bool {
        self.lanes[direction as usize].swap(IDLE, Ordering::AcqRel) == OWED && self.release()
    }

    /// USES-3. Those that are lent become counted; true when there is none.
    #[cold]
    fn at_zero(&self) -> bool {
        // So that no end in between sees zero.
        self.count.store(1, Ordering::Relaxed);
        for lane in &self.lanes {
            self.count.fetch_add(1, Ordering::Relaxed);
            if lane.compare_exchange(LENT, OWED, Ordering::AcqRel, Ordering::Acquire).is_err() {
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
        }
        // No lane is LENT now.
        self.count.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
