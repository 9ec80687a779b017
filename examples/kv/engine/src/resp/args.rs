//! The arguments of a complete request, read where it lies: in the read buffer, or staged in cells.

use super::inline::split;
use crate::number;
use crate::store::{Cells, Cursor, Source};

/// A complete request.
#[derive(Debug, Clone, Copy)]
pub enum Frame<'a> {
    /// An array in the read buffer.
    Array(&'a [u8]),
    /// A line without quotes in the read buffer.
    Line(&'a [u8]),
    /// An array in cells.
    Staged(Cursor),
}

/// One argument.
#[derive(Debug, Clone, Copy)]
pub struct Arg<'a>(pub(crate) Source<'a>);

impl<'a> Arg<'a> {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its bytes, if `room` could hold them: where they lie if that is one piece, otherwise copied to `room`.
    pub fn short<'r>(&self, cells: &Cells<'_>, room: &'r mut [u8]) -> Option<&'r [u8]>
    where
        'a: 'r,
    {
        let len = self.len();
        if len > room.len() {
            return None;
        }
        match self.0 {
            Source::Slice(slice) => Some(slice),
            Source::Staged { from, len } => {
                cells.read(from, &mut room[..len]);
                Some(&room[..len])
            }
        }
    }

    /// Copies its beginning; how many bytes.
    pub fn prefix(&self, cells: &Cells<'_>, room: &mut [u8]) -> usize {
        let count = self.len().min(room.len());
        match self.0 {
            Source::Slice(slice) => room[..count].copy_from_slice(&slice[..count]),
            Source::Staged { from, .. } => {
                cells.read(from, &mut room[..count]);
            }
        }
        count
    }

    /// The number that it spells.
    pub fn number(&self, cells: &Cells<'_>) -> Option<i64> {
        let mut room = [0; 20];
        self.short(cells, &mut room).and_then(number::parse)
    }

    /// Whether it is `word`, in any case.
    pub fn is(&self, cells: &Cells<'_>, word: &str) -> bool {
        let mut room = [0; 32];
        self.short(cells, &mut room).is_some_and(|text| text.eq_ignore_ascii_case(word.as_bytes()))
    }
}

/// The arguments that are left.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    frame: Frame<'a>,
    left: usize,
}

impl<'a> Args<'a> {
    /// The arguments of a request that the scanner has found complete.
    pub fn new(frame: Frame<'a>, cells: &Cells<'_>) -> Self {
        match frame {
            Frame::Line(line) => {
                Self { frame, left: line.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).count() }
            }
            Frame::Array(bytes) => {
                let (count, used) = header(bytes);
                Self { frame: Frame::Array(&bytes[used..]), left: count }
            }
            Frame::Staged(cursor) => {
                let (count, after) = staged_header(cells, cursor);
                Self { frame: Frame::Staged(after), left: count }
            }
        }
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The next.
    pub fn next(&mut self, cells: &Cells<'_>) -> Option<Arg<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(Arg(match self.frame {
            Frame::Array(bytes) => {
                let (len, used) = header(bytes);
                let (arg, rest) = bytes[used..].split_at(len);
                self.frame = Frame::Array(&rest[2..]);
                Source::Slice(arg)
            }
            Frame::Staged(cursor) => {
                let (len, from) = staged_header(cells, cursor);
                self.frame = Frame::Staged(cells.skip(from, len + 2));
                Source::Staged { from, len }
            }
            Frame::Line(line) => {
                let (word, rest) = split(line);
                self.frame = Frame::Line(rest);
                Source::Slice(word)
            }
        }))
    }
}

/// The number in a header line, and the line's length. The scanner has seen that it is one.
fn header(bytes: &[u8]) -> (usize, usize) {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'\r' => return (number, at + 2),
            b'-' => return (0, bytes.len()),
            digit => number = number * 10 + usize::from(digit - b'0'),
        }
    }
    (0, bytes.len())
}

fn staged_header(cells: &Cells<'_>, at: Cursor) -> (usize, Cursor) {
    // A mark, at most twenty characters, and the line's end.
    let mut line = [0; 23];
    let mut next = at;
    for len in 1..=line.len() {
        next = cells.read(next, &mut line[len - 1..len]);
        if line[len - 1] == b'\n' {
            return (header(&line[..len]).0, next);
        }
    }
    (0, next)
}
