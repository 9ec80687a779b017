//! The run queue of a worker from which others may take: a ring of fixed size, first in, first out.
//!
//! After the queue of tokio's and Go's schedulers: the owner pushes at the tail with plain stores, and everybody,
//! the owner too, takes at the head by one compare-and-swap; a thief takes half at once.
//!
//! STEAL-1: places from `head` to `tail` hold nodes; only the owner writes places and `tail`, and it writes a
//! place only when `head` has passed the one that was there. STEAL-2: a node belongs to whoever moved `head`
//! over it, and to nobody else; what a thief has read before that is a guess, and it touches no node that it
//! has only guessed. STEAL-3: `head` never comes back to a number that it had (`atomics::Count`), so a
//! compare-and-swap that succeeds has read the places of its own round. STEAL-4: a thief takes no more than its
//! own ring has room for, and nobody else looks behind its tail.

use crate::atomics::{AtomicCount, AtomicPtr, Count, Ordering};
use core::ptr;

/// A thief takes at most this many times another turn at a victim that others take from as well.
const TRIES: u32 = 4;

/// See the module. `N` is a power of two.
#[derive(Debug)]
pub struct StealQueue<T, const N: usize> {
    pub(super) head: AtomicCount,
    pub(super) tail: AtomicCount,
    places: [AtomicPtr<T>; N],
}

/// What a thief is content with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Least {
    /// Anything.
    One,
    /// Two nodes or more: a single one its owner is about to run.
    Two,
}

impl<T, const N: usize> StealQueue<T, N> {
    /// An empty ring.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        const { assert!(N.is_power_of_two()) };
        Self {
            head: AtomicCount::new(0),
            tail: AtomicCount::new(0),
            places: [const { AtomicPtr::new(ptr::null_mut()) }; N],
        }
    }

    /// An empty ring.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            head: AtomicCount::new(0),
            tail: AtomicCount::new(0),
            places: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        }
    }

    #[inline]
    pub(super) fn place(&self, at: Count) -> &AtomicPtr<T> {
        &self.places[at as usize % N]
    }

    /// How many nodes there are; a guess for everyone, and for the owner at most too high.
    #[inline]
    pub fn len(&self) -> usize {
        let head = self.head.load(Ordering::Acquire);
        let tail = self.tail.load(Ordering::Acquire);
        // The head may have moved on between the two looks of a stranger.
        (tail.wrapping_sub(head) as usize).min(N)
    }

    /// Whether a take would find nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a node, and answers how many there are now, at most; the owner's. A full ring hands it back.
    ///
    /// # Errors
    /// `node`, when the ring is full.
    #[inline]
    pub fn push(&self, node: *const T) -> Result<usize, *const T> {
        let tail = self.tail.load(Ordering::Relaxed);
        let len = tail.wrapping_sub(self.head.load(Ordering::Acquire)) as usize;
        if len >= N {
            return Err(node);
        }
        // STEAL-1: the head that was just read has passed this place.
        self.place(tail).store(node.cast_mut(), Ordering::Relaxed);
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        Ok(len + 1)
    }

    /// Takes the oldest node; the owner's.
    #[inline]
    pub fn pop(&self) -> Option<*const T> {
        let tail = self.tail.load(Ordering::Relaxed);
        let mut head = self.head.load(Ordering::Acquire);
        while head != tail {
            let node = self.place(head).load(Ordering::Relaxed);
            let next = head.wrapping_add(1);
            match self.head.compare_exchange_weak(head, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    // Its turn is next; if it is none, or a thief's by now, nothing is touched (STEAL-2).
                    #[cfg(not(loom))]
                    crate::atomics::prefetch(self.place(next).load(Ordering::Relaxed));
                    return Some(node);
                }
                Err(seen) => head = seen,
            }
        }
        None
    }

    /// Takes the older half of a full ring, or what is left of it, and hands each node out; the owner's.
    pub fn spill(&self, mut each: impl FnMut(*const T)) {
        for _ in 0..N / 2 {
            let Some(node) = self.pop() else { return };
            each(node);
        }
    }

    /// Moves the older half of `victim` into this ring, whose owner calls, as far as it has room (STEAL-4).
    /// Answers how many came.
    pub fn steal_from(&self, victim: &Self, least: Least) -> usize {
        let tail = self.tail.load(Ordering::Relaxed);
        let room = (N as Count).wrapping_sub(tail.wrapping_sub(self.head.load(Ordering::Acquire)));
        let mut head = victim.head.load(Ordering::Acquire);
        for _ in 0..TRIES {
            let len = victim.tail.load(Ordering::Acquire).wrapping_sub(head) as usize;
            // More than a ring: the head that was read is an old one.
            if len == 0 || len > N || (len == 1 && least == Least::Two) {
                return 0;
            }
            let take = ((len - len / 2) as Count).min(room);
            for step in 0..take {
                let node = victim.place(head.wrapping_add(step)).load(Ordering::Relaxed);
                self.place(tail.wrapping_add(step)).store(node, Ordering::Relaxed);
            }
            let next = head.wrapping_add(take);
            match victim.head.compare_exchange(head, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    self.tail.store(tail.wrapping_add(take), Ordering::Release);
                    return take as usize;
                }
                Err(seen) => head = seen,
            }
        }
        0
    }
}

impl<T, const N: usize> Default for StealQueue<T, N> {
    fn default() -> Self {
        Self::new()
    }
}
