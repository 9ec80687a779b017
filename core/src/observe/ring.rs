//! The records of one worker, in the caller's memory: the newest ones, which others may read at any time.
//!
//! TRACE-1: one writer: a ring belongs, for ever, to the first worker that is told to write into it, whose thread alone
//! pushes. TRACE-2: a reader takes a record only if it finds, behind its words, that the writer had not come round
//! to that place. Every word is stored with release, behind the store of `head` that said that its place is next; so who
//! reads a word of a later record, and then `head`, reads a `head` that says so. (Looking at `head` before the words
//! alone gives records that are half of one and half of another; the model beside this file shows it.)

use crate::atomics::{AtomicCount, AtomicUsize, Ordering, const_unless_loom};

/// Words of a record.
pub(crate) const WORDS: usize = 4;

/// The place of one record.
#[derive(Debug)]
pub struct Place([AtomicCount; WORDS]);

/// See the module. `TraceRing` alone is one of any length; [`TraceBuffer`] is one to make.
///
/// All zeros until used, so a static of this type lies in `.bss`.
#[derive(Debug)]
pub struct TraceRing<T: ?Sized = [Place]> {
    /// How many records were ever pushed.
    head: AtomicCount,
    /// The worker that it belongs to, as an address; zero is none.
    owner: AtomicUsize,
    places: T,
}

/// Room for the newest `N` records of a worker, 32 bytes each; `N` is a power of two. One of them is always the writer's
/// own.
pub type TraceBuffer<const N: usize> = TraceRing<[Place; N]>;

impl<const N: usize> TraceBuffer<N> {
    const_unless_loom! {
        /// Empty.
        pub fn new() -> Self {
            #[cfg(not(loom))]
            return {
                const { assert!(N.is_power_of_two() && N > 1, "a trace buffer's length is a power of two") };
                Self {
                    head: AtomicCount::new(0),
                    owner: AtomicUsize::new(0),
                    places: [const { Place([const { AtomicCount::new(0) }; WORDS]) }; N],
                }
            };
            #[cfg(loom)]
            Self {
                head: AtomicCount::new(0),
                owner: AtomicUsize::new(0),
                places: core::array::from_fn(|_| Place(core::array::from_fn(|_| AtomicCount::new(0)))),
            }
        }
    }
}

impl<const N: usize> Default for TraceBuffer<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Of any length.
impl<const N: usize> core::ops::Deref for TraceBuffer<N> {
    type Target = TraceRing;

    fn deref(&self) -> &TraceRing {
        self
    }
}

impl TraceRing {
    #[inline]
    fn place(&self, index: u64) -> &Place {
        &self.places[index as usize & (self.places.len() - 1)]
    }

    /// For a worker, if it is nobody else's.
    pub(crate) fn claim(&self, owner: usize) -> bool {
        match self.owner.compare_exchange(0, owner, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(other) => other == owner,
        }
    }

    /// One more record; by the owner's thread (TRACE-1).
    #[inline]
    pub(crate) fn push(&self, words: [u64; WORDS]) {
        let head = self.head.load(Ordering::Relaxed);
        let place = self.place(head);
        for (to, word) in place.0.iter().zip(words) {
            // TRACE-2.
            to.store(word, Ordering::Release);
        }
        self.head.store(head + 1, Ordering::Release);
    }

    /// How many were ever pushed.
    #[inline]
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// The oldest one that may still be whole.
    pub(crate) fn oldest(&self) -> u64 {
        (self.head() + 1).saturating_sub(self.places.len() as u64)
    }

    /// The words of record `index`, which was pushed before; none when its place has another one by now (TRACE-2).
    pub(crate) fn read(&self, index: u64) -> Option<[u64; WORDS]> {
        let words = self.words(index);
        self.is_whole(index).then_some(words)
    }

    pub(super) fn words(&self, index: u64) -> [u64; WORDS] {
        let place = self.place(index);
        core::array::from_fn(|i| place.0[i].load(Ordering::Acquire))
    }

    pub(super) fn is_whole(&self, index: u64) -> bool {
        index + self.places.len() as u64 > self.head()
    }
}
