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

    /// Puts a value behind the others. There is room.
    #[inline]
    pub fn push(&mut self, value: T) {
        assert!(self.len < N, "unboxed: a value for a full ring");
        let at = self.head + self.len;
        self.places[if at >= N { at - N } else { at }].write(value);
        self.len += 1;
    }

    /// Takes the first value.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        // SAFETY: CHAN-1.
        let value = unsafe { self.places[self.head].assume_init_read() };
        self.head = if self.head + 1 == N { 0 } else { self.head + 1 };
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
