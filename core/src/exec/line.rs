//! What keeps two words that different threads write out of each other's way.

use core::ops::Deref;

/// A cache line of its own, and the one that the processor fetches with it: so that who writes it is not in the way of
/// who reads its neighbours.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Line<T>(T);

impl<T> Line<T> {
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Line<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
