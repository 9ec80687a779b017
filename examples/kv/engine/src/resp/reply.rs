//! Replies, into the write buffer and, beyond its end, into cells.
//!
//! ```text
//! a spill cell's data:  0 | length 1 | bytes ...                            bytes of the reply
//!                       1 | 3 unused | object 4 | cell 4 | at 4 | left 4    the rest of a pinned value
//! ```
//! REPLY-1: a command begins with an empty spill and `MIN_ROOM` bytes in the buffer, so that a reply that
//! does not fit anywhere can be taken back and an error line put in its place. REPLY-2: a large value is
//! never copied to cells; its object is pinned instead, once for each spill cell that names it.

use crate::number::Text;
use crate::store::{CELL_DATA, Cells, Cursor, Full, Id, Store};

const TEXT: usize = CELL_DATA - 2;

/// Which protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Before HELLO 3.
    Resp2,
    /// After it.
    Resp3,
}

/// What of a reply did not fit into the write buffer.
#[derive(Debug, Default)]
pub struct Spill {
    head: u32,
    tail: u32,
    /// Bytes of the first cell's text that were drained.
    drained: usize,
}

enum Piece {
    Text(usize),
    Value { object: Id, from: Cursor, left: usize },
}

fn word(data: &[u8; CELL_DATA], at: usize) -> u32 {
    u32::from_le_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]])
}

fn set_value(cells: &mut Cells<'_>, cell: u32, object: Id, from: Cursor, left: usize) {
    let data = cells.data_mut(cell);
    data[0] = 1;
    for (at, word) in [(4, object.number()), (8, from.cell), (12, from.at), (16, left as u32)] {
        data[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
}

fn piece(cells: &Cells<'_>, cell: u32) -> Piece {
    let data = cells.data(cell);
    match data[0] {
        0 => Piece::Text(data[1].into()),
        _ => Piece::Value {
            object: Id::from_number(word(data, 4)),
            from: Cursor { cell: word(data, 8), at: word(data, 12) },
            left: word(data, 16) as usize,
        },
    }
}

impl Spill {
    /// With nothing in it.
    pub const fn new() -> Self {
        Self { head: 0, tail: 0, drained: 0 }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.head == 0
    }

    fn link(&mut self, cells: &mut Cells<'_>, cell: u32) {
        if self.tail == 0 {
            self.head = cell;
        } else {
            cells.set_next(self.tail, cell);
        }
        self.tail = cell;
    }

    fn push(&mut self, cells: &mut Cells<'_>, mut bytes: &[u8]) -> Result<(), Full> {
        while !bytes.is_empty() {
            let used = match self.tail {
                0 => TEXT,
                tail if cells.data(tail)[0] == 0 => cells.data(tail)[1].into(),
                _ => TEXT,
            };
            if used == TEXT {
                let cell = cells.take_any()?;
                cells.data_mut(cell)[..2].fill(0);
                self.link(cells, cell);
                continue;
            }
            let count = bytes.len().min(TEXT - used);
            let data = cells.data_mut(self.tail);
            data[2 + used..2 + used + count].copy_from_slice(&bytes[..count]);
            data[1] = (used + count) as u8;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    fn push_value(&mut self, store: &mut Store<'_>, id: Id, from: Cursor, left: usize) -> Result<(), Full> {
        let cell = store.cells.take_any()?;
        set_value(&mut store.cells, cell, id, from, left);
        self.link(&mut store.cells, cell);
        store.pin(id);
        Ok(())
    }

    /// Moves what fits to `out`; how many bytes.
    pub fn drain(&mut self, store: &mut Store<'_>, out: &mut [u8]) -> usize {
        let mut done = 0;
        while self.head != 0 && done < out.len() {
            let room = out.len() - done;
            let ended = match piece(&store.cells, self.head) {
                Piece::Text(len) => {
                    let count = room.min(len - self.drained);
                    let text = &store.cells.data(self.head)[2 + self.drained..];
                    out[done..done + count].copy_from_slice(&text[..count]);
                    (done, self.drained) = (done + count, self.drained + count);
                    self.drained == len
                }
                Piece::Value { object, from, left } => {
                    let count = room.min(left);
                    let from = store.cells.read(from, &mut out[done..done + count]);
                    set_value(&mut store.cells, self.head, object, from, left - count);
                    done += count;
                    count == left
                }
            };
            if ended {
                self.drop_first(store);
            }
        }
        done
    }

    fn drop_first(&mut self, store: &mut Store<'_>) {
        let cell = self.head;
        if let Piece::Value { object, .. } = piece(&store.cells, cell) {
            store.unpin(object);
        }
        self.head = store.cells.next(cell);
        self.drained = 0;
        if self.head == 0 {
            self.tail = 0;
        }
        store.cells.set_next(cell, 0);
        store.cells.give(cell);
    }

    /// Gives everything back.
    pub fn clear(&mut self, store: &mut Store<'_>) {
        while self.head != 0 {
            self.drop_first(store);
        }
    }
}

/// The reply of one command.
#[derive(Debug)]
pub struct Reply<'o> {
    out: &'o mut [u8],
    len: usize,
    spill: &'o mut Spill,
    /// Which protocol to speak.
    pub protocol: Protocol,
    full: bool,
}

impl<'o> Reply<'o> {
    /// Into `out` from `len` on.
    pub fn new(out: &'o mut [u8], len: usize, spill: &'o mut Spill, protocol: Protocol) -> Self {
        Self { out, len, spill, protocol, full: false }
    }

    /// Where the reply ends in the buffer.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is in the buffer.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether some of it found no place.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Takes everything back that came after `mark` (REPLY-1).
    pub fn rewind(&mut self, store: &mut Store<'_>, mark: usize) {
        self.spill.clear(store);
        self.len = mark;
        self.full = false;
    }

    /// Bytes as they are.
    #[inline]
    pub fn raw(&mut self, cells: &mut Cells<'_>, bytes: &[u8]) {
        let room = self.out.len() - self.len;
        if bytes.len() <= room && self.spill.is_empty() {
            self.out[self.len..self.len + bytes.len()].copy_from_slice(bytes);
            self.len += bytes.len();
        } else {
            self.raw_beyond(cells, bytes);
        }
    }

    #[cold]
    fn raw_beyond(&mut self, cells: &mut Cells<'_>, bytes: &[u8]) {
        let room = if self.spill.is_empty() { self.out.len() - self.len } else { 0 };
        let (here, beyond) = bytes.split_at(room.min(bytes.len()));
        self.out[self.len..self.len + here.len()].copy_from_slice(here);
        self.len += here.len();
        self.full |= self.spill.push(cells, beyond).is_err();
    }

    /// A line of a type and a number: an integer, or the header of something that has so many parts.
    pub fn header(&mut self, cells: &mut Cells<'_>, mark: u8, number: i64) {
        let text = Text::new(number);
        let digits = text.as_bytes();
        let mut line = [0; 23];
        line[0] = mark;
        line[1..=digits.len()].copy_from_slice(digits);
        line[digits.len() + 1..digits.len() + 3].copy_from_slice(b"\r\n");
        self.raw(cells, &line[..digits.len() + 3]);
    }

    /// A bulk string.
    pub fn bulk(&mut self, cells: &mut Cells<'_>, bytes: &[u8]) {
        self.header(cells, b'$', bytes.len() as i64);
        self.raw(cells, bytes);
        self.raw(cells, b"\r\n");
    }

    /// A bulk string, from cells.
    pub fn bulk_cells(&mut self, cells: &mut Cells<'_>, from: Cursor, len: usize) {
        self.header(cells, b'$', len as i64);
        let (mut from, mut left) = (from, len);
        while left > 0 {
            let mut copy = [0; CELL_DATA];
            let count = left.min(CELL_DATA);
            from = cells.read(from, &mut copy[..count]);
            self.raw(cells, &copy[..count]);
            left -= count;
        }
        self.raw(cells, b"\r\n");
    }

    /// A value as a bulk string; what does not fit is sent from where it lies (REPLY-2).
    pub fn value(&mut self, store: &mut Store<'_>, id: Id) {
        let (from, len) = store.value(id);
        self.header(&mut store.cells, b'$', len as i64);
        let room = if self.spill.is_empty() { self.out.len() - self.len } else { 0 };
        let here = len.min(room);
        let rest = store.cells.read(from, &mut self.out[self.len..self.len + here]);
        self.len += here;
        if here < len {
            self.full |= self.spill.push_value(store, id, rest, len - here).is_err();
        }
        self.raw(&mut store.cells, b"\r\n");
    }

    /// Nothing there.
    pub fn null(&mut self, cells: &mut Cells<'_>) {
        self.raw(cells, if self.protocol == Protocol::Resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// The header of a map of so many pairs.
    pub fn map(&mut self, cells: &mut Cells<'_>, pairs: usize) {
        match self.protocol {
            Protocol::Resp3 => self.header(cells, b'%', pairs as i64),
            Protocol::Resp2 => self.header(cells, b'*', 2 * pairs as i64),
        }
    }

    /// Formatted text as it is.
    pub fn format(&mut self, cells: &mut Cells<'_>, text: core::fmt::Arguments<'_>) {
        struct Raw<'a, 'o, 'm>(&'a mut Reply<'o>, &'a mut Cells<'m>);
        impl core::fmt::Write for Raw<'_, '_, '_> {
            fn write_str(&mut self, text: &str) -> core::fmt::Result {
                self.0.raw(self.1, text.as_bytes());
                Ok(())
            }
        }
        // Writing to a reply does not fail: what finds no place is noted.
        let _ = core::fmt::Write::write_fmt(&mut Raw(self, cells), text);
    }
}
