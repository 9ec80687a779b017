//! Which bytes of a buffer an operation uses.

use crate::op::Error;
use core::ops::Range;

/// A range, or all. In 32 bits, as many as a buffer has; what does not fit is out of range in every buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    start: u32,
    end: u32,
}

impl Part {
    /// Whatever there is.
    pub const ALL: Self = Self { start: u32::MAX, end: 0 };
    /// Nothing that a buffer has.
    const BEYOND: Self = Self { start: u32::MAX, end: 1 };

    /// So many from the beginning.
    pub fn first(len: u32) -> Self {
        Self { start: 0, end: len }
    }

    pub fn of(range: Range<usize>) -> Self {
        match (u32::try_from(range.start), u32::try_from(range.end)) {
            (Ok(start), Ok(end)) if start <= end || start < u32::MAX => Self { start, end },
            _ => Self::BEYOND,
        }
    }

    pub fn is_all(self) -> bool {
        self == Self::ALL
    }

    /// Whether nothing is to be done. All is never known to be nothing, and what lies beyond a buffer is an error.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Where it begins.
    pub fn start(self) -> u32 {
        if self.is_all() { 0 } else { self.start }
    }

    /// The first `count` bytes are done with.
    pub fn skip(&mut self, count: u32) {
        self.start += count;
    }

    /// The bytes of a buffer with `len` of them.
    #[inline]
    pub fn within(self, len: u32) -> Result<Range<u32>, Error> {
        if self.is_all() {
            return Ok(0..len);
        }
        if self.start > self.end || self.end > len {
            return Err(Error::OutOfRange { end: self.start.max(self.end) as usize, len: len as usize });
        }
        Ok(self.start..self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lies_within_its_buffer_or_is_refused() {
        assert_eq!(Part::ALL.within(7), Ok(0..7));
        assert_eq!(Part::of(2..7).within(7), Ok(2..7));
        assert_eq!(Part::of(2..8).within(7), Err(Error::OutOfRange { end: 8, len: 7 }));
        #[expect(clippy::reversed_empty_ranges, reason = "the case to be refused")]
        let reversed = 5..3;
        assert_eq!(Part::of(reversed).within(7), Err(Error::OutOfRange { end: 5, len: 7 }));
        // Beyond 32 bits, also where its lower half would fit.
        let beyond = Part::of(0..1 << 32 | 3).within(u32::MAX);
        assert!(matches!(beyond, Err(Error::OutOfRange { .. })));
        let mut part = Part::of(2..4);
        part.skip(2);
        assert!(part.is_empty() && !Part::ALL.is_empty());
    }
}
