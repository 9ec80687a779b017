//! Memory in cells of one size, linked to chains.
//!
//! A cell is its successor's number in four bytes, and data. Cell 0 is never given out, so that 0 means
//! none. CELLS-1: a cell is in the free list, above `fresh`, or in exactly one chain. CELLS-2: what is stored
//! leaves `reserve` cells untouched, so that a full store can still be asked: staged requests may take half of
//! them, replies all.

/// Bytes of a cell.
pub const CELL_BYTES: usize = 128;
/// Bytes of a cell that hold data.
pub const CELL_DATA: usize = CELL_BYTES - 4;

/// No cell is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// A place in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The cell.
    pub cell: u32,
    /// The offset in its data.
    pub at: u32,
}

/// The growing end of a chain.
#[derive(Debug, Clone, Copy)]
pub struct Tail {
    /// The first cell.
    pub head: u32,
    cell: u32,
    at: u32,
    /// Cells that its growth leaves free (CELLS-2).
    keep: u32,
}

/// The cells of one slice.
#[derive(Debug)]
pub struct Cells<'m> {
    cells: &'m mut [[u8; CELL_BYTES]],
    free: u32,
    fresh: u32,
    used: u32,
    reserve: u32,
}

impl<'m> Cells<'m> {
    /// All free; of each sixteen one is for replies only.
    ///
    /// # Panics
    /// With fewer than 16 cells.
    pub fn new(cells: &'m mut [[u8; CELL_BYTES]]) -> Self {
        assert!(cells.len() >= 16, "kv: too little memory: {} cells, at least 16 are needed", cells.len());
        // More than 2^32 cells (512 GiB) are left unused.
        let count = cells.len().min(u32::MAX as usize);
        let cells = &mut cells[..count];
        let reserve = (count / 16) as u32;
        Self { cells, free: 0, fresh: 1, used: 0, reserve }
    }

    /// Cells that can ever be in use.
    pub fn total(&self) -> usize {
        self.cells.len() - 1
    }

    /// Cells in use.
    pub fn used(&self) -> usize {
        self.used as usize
    }

    /// The most that were in use at once: a fresh one is taken only while no other is free.
    pub fn used_max(&self) -> usize {
        self.fresh as usize - 1
    }

    /// Whether a write may take `count` cells (CELLS-2).
    pub fn has(&self, count: usize) -> bool {
        self.has_beyond(count, self.reserve)
    }

    fn has_beyond(&self, count: usize, keep: u32) -> bool {
        self.used() + count + keep as usize <= self.total()
    }

    fn take(&mut self, keep: u32) -> Result<u32, Full> {
        if self.has_beyond(1, keep) { self.take_any() } else { Err(Full) }
    }

    /// A cell, from the reserve if need be.
    ///
    /// # Errors
    /// [`Full`].
    pub fn take_any(&mut self) -> Result<u32, Full> {
        let cell = if self.free != 0 {
            let cell = self.free;
            self.free = self.next(cell);
            cell
        } else if (self.fresh as usize) < self.cells.len() {
            self.fresh += 1;
            self.fresh - 1
        } else {
            return Err(Full);
        };
        self.used += 1;
        self.set_next(cell, 0);
        Ok(cell)
    }

    /// Gives a chain back; 0 is the empty one.
    pub fn give(&mut self, mut cell: u32) {
        while cell != 0 {
            let next = self.next(cell);
            self.set_next(cell, self.free);
            self.free = cell;
            self.used -= 1;
            cell = next;
        }
    }

    /// The cell after `cell`, or 0.
    pub fn next(&self, cell: u32) -> u32 {
        let [a, b, c, d, ..] = self.cells[cell as usize];
        u32::from_le_bytes([a, b, c, d])
    }

    /// Links `next` behind `cell`.
    pub fn set_next(&mut self, cell: u32, next: u32) {
        self.cells[cell as usize][..4].copy_from_slice(&next.to_le_bytes());
    }

    /// A cell's data.
    pub fn data(&self, cell: u32) -> &[u8; CELL_DATA] {
        self.cells[cell as usize].last_chunk().expect("a cell is larger than its data")
    }

    /// A cell's data.
    pub fn data_mut(&mut self, cell: u32) -> &mut [u8; CELL_DATA] {
        self.cells[cell as usize].last_chunk_mut().expect("a cell is larger than its data")
    }

    /// The slice at `from` that lies in one cell, of at most `len` bytes, and what follows it.
    pub fn segment(&self, from: Cursor, len: usize) -> (&[u8], Cursor) {
        let mut from = from;
        if from.at as usize == CELL_DATA {
            from = Cursor { cell: self.next(from.cell), at: 0 };
        }
        let start = from.at as usize;
        let end = CELL_DATA.min(start + len);
        (&self.data(from.cell)[start..end], Cursor { cell: from.cell, at: end as u32 })
    }

    /// `len` bytes from `from` on, cell by cell.
    pub fn segments(&self, from: Cursor, len: usize) -> impl Iterator<Item = &[u8]> {
        let (mut at, mut left) = (from, len);
        core::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let (segment, next) = self.segment(at, left);
            (at, left) = (next, left - segment.len());
            Some(segment)
        })
    }

    /// Copies `out.len()` bytes from `from` on; what follows them.
    pub fn read(&self, mut from: Cursor, out: &mut [u8]) -> Cursor {
        let mut done = 0;
        while done < out.len() {
            let (segment, next) = self.segment(from, out.len() - done);
            out[done..done + segment.len()].copy_from_slice(segment);
            (done, from) = (done + segment.len(), next);
        }
        from
    }

    /// The place `count` bytes behind `from`.
    pub fn skip(&self, from: Cursor, count: usize) -> Cursor {
        let (mut cell, mut at) = (from.cell, from.at as usize + count);
        while at > CELL_DATA {
            (cell, at) = (self.next(cell), at - CELL_DATA);
        }
        Cursor { cell, at: at as u32 }
    }

    /// The end of a chain whose data stops at `at`.
    pub fn tail(&self, head: u32, at: Cursor) -> Tail {
        Tail { head, cell: at.cell, at: at.at, keep: self.reserve }
    }

    /// A new chain of one cell for what is stored, to be filled from `at` on.
    ///
    /// # Errors
    /// [`Full`].
    pub fn start(&mut self, at: usize) -> Result<Tail, Full> {
        self.start_keeping(at, self.reserve)
    }

    /// A new chain for a request, which may use a part of the reserve.
    ///
    /// # Errors
    /// [`Full`].
    pub fn start_request(&mut self) -> Result<Tail, Full> {
        self.start_keeping(0, self.reserve / 2)
    }

    fn start_keeping(&mut self, at: usize, keep: u32) -> Result<Tail, Full> {
        let cell = self.take(keep)?;
        Ok(Tail { head: cell, cell, at: at as u32, keep })
    }

    /// Writes at the end of a chain; cells that are linked behind it are used before new ones.
    ///
    /// # Errors
    /// [`Full`], with a part written.
    pub fn push(&mut self, tail: &mut Tail, mut bytes: &[u8]) -> Result<(), Full> {
        while !bytes.is_empty() {
            if tail.at as usize == CELL_DATA {
                let mut next = self.next(tail.cell);
                if next == 0 {
                    next = self.take(tail.keep)?;
                    self.set_next(tail.cell, next);
                }
                (tail.cell, tail.at) = (next, 0);
            }
            let start = tail.at as usize;
            let count = bytes.len().min(CELL_DATA - start);
            self.data_mut(tail.cell)[start..start + count].copy_from_slice(&bytes[..count]);
            tail.at += count as u32;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Writes `len` bytes of another chain at the end of a chain.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_chain(&mut self, tail: &mut Tail, mut from: Cursor, mut len: usize) -> Result<(), Full> {
        let mut copy = [0; CELL_DATA];
        while len > 0 {
            let (segment, next) = self.segment(from, len);
            let count = segment.len();
            copy[..count].copy_from_slice(segment);
            self.push(tail, &copy[..count])?;
            (from, len) = (next, len - count);
        }
        Ok(())
    }
}
