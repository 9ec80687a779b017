//! The places of a channel: a ring of values. It is touched under the raw lock only, and runs nothing foreign.

use core::mem::MaybeUninit;

pub(crate) struct Ring<T, const N: usize> {
    places: [MaybeUninit<T>; N],
    head: usize,
    len: usize,
}

impl<T, const N: usize> Ring<T, N> {
    pub const fn new() -> Self {
        const { assert!(N > 0, "a channel has at least one place") };
        Self { places: [const { MaybeUninit::uninit() }; N], head: 0, len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_full(&self) -> bool {
        self.len == N
    }

    /// The place of the value so many behind the first; a ring of one place needs no arithmetic.
    #[inline(always)]
    fn place(&self, behind: usize) -> usize {
        if N == 1 {
            return 0;
        }
        let at = self.head + behind;
        if at >= N { at - N } else { at }
    }

    /// Puts a value behind the others. There is room.
    #[inline(always)]
    pub fn push(&mut self, value: T) {
        assert!(self.len < N, "unboxed: a value for a full ring");
        let at = self.place(self.len);
        self.places[at].write(value);
        self.len += 1;
    }

    /// Takes the first value.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let at = self.place(0);
        // SAFETY: CHAN-1.
        let value = unsafe { self.places[at].assume_init_read() };
        self.head = self.place(1);
        self.len -= 1;
        Some(value)
    }
}

impl<T, const N: usize> Drop for Ring<T, N> {
    fn drop(&mut self) {
        while let Some(value) = self.pop() {
            drop(value);
        }
    }
}
