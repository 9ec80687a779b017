//! The word on which a plain thread sleeps; how it sleeps, a futex or a condition variable, is the port's.
//!
//! PARKING-2: a sleeper counts itself before the word is compared, and a waker counts its wake before it looks for
//! sleepers, each with a fence in between, so one of them sees the other.

use crate::atomics::{AtomicU32, Ordering, fence};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// A word that counts wakes, for a port that blocks threads (see [`Blockable`](super::Blockable)).
///
/// Several threads may share one: they wake each other for nothing at worst.
///
/// ```
/// # use unboxed_core as unboxed;
/// use std::pin::pin;
/// use std::sync::Arc;
/// use std::sync::atomic::Ordering;
/// use std::task::{Wake, Waker};
/// use unboxed::sync::{Mutex, ParkingWord, Threads};
///
/// static WORD: ParkingWord = ParkingWord::new();
///
/// struct Wakes;
/// impl Wake for Wakes {
///     fn wake(self: Arc<Self>) {
///         WORD.wake(|_| { /* a futex would be told here; who spins sees it */ });
///     }
/// }
///
/// let mutex: Mutex<u8, Threads> = Mutex::with_domain(1);
/// let waker = Waker::from(Arc::new(Wakes));
/// let guard = WORD.block(pin!(mutex.lock()), &waker, |word, seen| {
///     while word.load(Ordering::SeqCst) == seen {}
///     true
/// });
/// assert_eq!(*guard.unwrap(), 1);
/// ```
#[derive(Debug)]
#[repr(align(64))]
pub struct ParkingWord {
    /// What a sleeper has seen of it tells whether a wake came since.
    wakes: AtomicU32,
    sleepers: AtomicU32,
}

impl Default for ParkingWord {
    fn default() -> Self {
        Self::new()
    }
}

impl ParkingWord {
    crate::atomics::const_unless_loom! {
        /// A word on which nobody sleeps.
        pub fn new() -> Self {
            Self { wakes: AtomicU32::new(0), sleepers: AtomicU32::new(0) }
        }
    }

    /// Polls `future` with `waker`, which must call [`wake`](Self::wake), and sleeps in between. `None` when the
    /// time is over and the future is not ready even then; its place is kept until it is dropped.
    ///
    /// `sleep(word, seen)` sleeps if the word is still `seen`, and may end early; it answers false when the time is
    /// over. That the word changes under it, and who calls it, is all that it must see.
    ///
    /// # Panics
    /// With the future's panic, and with `sleep`'s.
    pub fn block<F: Future>(
        &self,
        mut future: Pin<&mut F>,
        waker: &Waker,
        mut sleep: impl FnMut(&AtomicU32, u32) -> bool,
    ) -> Option<F::Output> {
        let mut cx = Context::from_waker(waker);
        let mut in_time = true;
        loop {
            // Before the poll: a wake that it brings about must not be taken for an old one.
            let seen = self.wakes.load(Ordering::Acquire);
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Some(output);
            }
            if !in_time {
                return None;
            }
            in_time = self.sleep(|word| sleep(word, seen));
        }
    }

    fn sleep(&self, sleep: impl FnOnce(&AtomicU32) -> bool) -> bool {
        // Counted out also when `sleep` panics.
        struct Sleeper<'a>(&'a AtomicU32);
        impl Drop for Sleeper<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        let _sleeper = Sleeper(&self.sleepers);
        // PARKING-2.
        fence(Ordering::SeqCst);
        sleep(&self.wakes)
    }

    /// Counts a wake; `tell` is asked to end the sleep of all who sleep on the word, if anybody does. Which of those
    /// who share it is meant is not known.
    pub fn wake(&self, tell: impl FnOnce(&AtomicU32)) {
        self.wakes.fetch_add(1, Ordering::Release);
        // PARKING-2.
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) != 0 {
            tell(&self.wakes);
        }
    }
}

#[cfg(all(test, loom))]
#[path = "parking_loom.rs"]
mod models;
