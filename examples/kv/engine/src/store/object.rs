//! A key with its value: one chain, whose first cell begins with a header.
//!
//! ```text
//! first cell's data:  bucket's next 4 | hash 4 | expires 8 | value 4 | key 2 | dead 2 | pins 4 | key, value ...
//! ```
//! OBJ-1: a pinned object is not changed. A write to it makes a new one, and the old one, out of the index
//! and `dead`, goes when its last pin does. So a reply may be sent from it while others write the key.

use super::cells::{CELL_DATA, Cells, Cursor};

const HEADER: usize = 28;

/// An object's first cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(pub(super) u32);

/// Where a new value comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A slice.
    Slice(&'a [u8]),
    /// A staged request.
    Staged {
        /// Its beginning.
        from: Cursor,
        /// Its length in bytes.
        len: usize,
    },
}

impl Source<'_> {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Slice(slice) => slice.len(),
            Self::Staged { len, .. } => *len,
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The first cell's header.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Header {
    pub next: u32,
    pub hash: u32,
    /// In milliseconds; 0: never.
    pub expires: u64,
    pub value: u32,
    pub key: u16,
    pub dead: bool,
    pub pins: u32,
}

impl Header {
    pub(super) fn load(cells: &Cells<'_>, id: Id) -> Self {
        let data = cells.data(id.0);
        let word = |at: usize| u32::from_le_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
        Self {
            next: word(0),
            hash: word(4),
            expires: u64::from(word(8)) | u64::from(word(12)) << 32,
            value: word(16),
            key: u16::from_le_bytes([data[20], data[21]]),
            dead: data[22] != 0,
            pins: word(24),
        }
    }

    pub(super) fn store(&self, cells: &mut Cells<'_>, id: Id) {
        let data = cells.data_mut(id.0);
        data[0..4].copy_from_slice(&self.next.to_le_bytes());
        data[4..8].copy_from_slice(&self.hash.to_le_bytes());
        data[8..16].copy_from_slice(&self.expires.to_le_bytes());
        data[16..20].copy_from_slice(&self.value.to_le_bytes());
        data[20..22].copy_from_slice(&self.key.to_le_bytes());
        data[22..24].copy_from_slice(&u16::from(self.dead).to_le_bytes());
        data[24..28].copy_from_slice(&self.pins.to_le_bytes());
    }

    pub(super) fn key_at(id: Id) -> Cursor {
        Cursor { cell: id.0, at: HEADER as u32 }
    }

    pub(super) fn value_at(&self, cells: &Cells<'_>, id: Id) -> Cursor {
        cells.skip(Self::key_at(id), self.key as usize)
    }
}

/// Cells of an object with so many bytes of key and value.
pub(super) fn cells_of(bytes: usize) -> usize {
    1 + bytes.saturating_sub(CELL_DATA - HEADER).div_ceil(CELL_DATA)
}

/// A new object, in no bucket.
pub(super) fn create(cells: &mut Cells<'_>, key: &[u8], value: Source<'_>, header: Header) -> Option<Id> {
    if !cells.has(cells_of(key.len() + value.len())) {
        return None;
    }
    let mut tail = cells.start(HEADER).ok()?;
    let id = Id(tail.head);
    header.store(cells, id);
    cells.push(&mut tail, key).ok()?;
    match value {
        Source::Slice(slice) => cells.push(&mut tail, slice).ok()?,
        Source::Staged { from, len } => cells.push_chain(&mut tail, from, len).ok()?,
    }
    Some(id)
}

impl Id {
    /// The object as a number, to be kept in a cell.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The object of a number that [`number`](Self::number) gave.
    pub fn from_number(number: u32) -> Self {
        Self(number)
    }
}
