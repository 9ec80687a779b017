//! A waker that one thread leaves for another: the slot's second waker, and a file lane's.
//!
//! CELL-1: the waker is touched only between a successful step to BUSY and the store that ends it.
//! CELL-2: no foreign code runs in between: clones are made before, old wakers are dropped after.

use crate::atomics::{AtomicU8, Ordering, UnsafeCell, relax};
use core::mem::MaybeUninit;
use core::task::Waker;

const EMPTY: u8 = 0;
const FULL: u8 = 1;
const BUSY: u8 = 2;

/// Zeroed memory is an empty cell.
#[derive(Debug)]
pub struct WakerCell {
    state: AtomicU8,
    waker: UnsafeCell<MaybeUninit<Waker>>,
}

// SAFETY: CELL-1.
unsafe impl Sync for WakerCell {}
// SAFETY: CELL-1; a waker is Send.
unsafe impl Send for WakerCell {}

impl WakerCell {
    crate::atomics::const_unless_loom! {
        /// An empty cell.
        pub fn new() -> Self {
            Self { state: AtomicU8::new(EMPTY), waker: UnsafeCell::new(MaybeUninit::uninit()) }
        }
    }

    fn lock(&self) -> u8 {
        loop {
            let now = self.state.load(Ordering::Relaxed);
            if now != BUSY
                && self.state.compare_exchange_weak(now, BUSY, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return now;
            }
            relax();
        }
    }

    /// Leaves a waker; returns the one that lay there.
    #[must_use]
    pub fn put(&self, waker: Waker) -> Option<Waker> {
        let was = self.lock();
        let old = self.waker.with_mut(|cell| {
            // SAFETY: CELL-1; FULL means that a waker lies there.
            let old = (was == FULL).then(|| unsafe { (*cell).assume_init_read() });
            // SAFETY: CELL-1.
            unsafe { (*cell).write(waker) };
            old
        });
        self.state.store(FULL, Ordering::Release);
        old
    }

    /// Takes the waker that lies there.
    #[must_use]
    pub fn take(&self) -> Option<Waker> {
        if self.state.load(Ordering::Acquire) == EMPTY {
            return None;
        }
        let was = self.lock();
        let old = (was == FULL).then(|| {
            // SAFETY: CELL-1; FULL means that a waker lies there.
            self.waker.with_mut(|cell| unsafe { (*cell).assume_init_read() })
        });
        self.state.store(EMPTY, Ordering::Release);
        old
    }
}

impl Default for WakerCell {
    fn default() -> Self {
        Self::new()
    }
}
