//! The index: a fixed table of buckets, each a list of objects.
//!
//! IDX-1: an object is in the bucket of its hash exactly once, unless it is dead. The table never grows, so
//! SCAN's cursor is a bucket's number, and every key that is there throughout is found once.

use super::cells::{CELL_BYTES, Cells, Cursor, Full};
use super::object::{Header, Id, Source, cells_of, create};
use std::hash::{BuildHasher, Hasher, RandomState};

/// Keys, values and their expiry.
#[derive(Debug)]
pub struct Store<'m> {
    /// The cells, which requests and replies share.
    pub cells: Cells<'m>,
    buckets: &'m mut [[u8; 4]],
    hasher: RandomState,
    keys: usize,
    with_expiry: usize,
    swept: usize,
}

impl<'m> Store<'m> {
    /// An empty store in `memory`, which holds zeros: one bucket of four bytes to two cells, the rest cells.
    ///
    /// # Panics
    /// With less than 4 KiB.
    pub fn new(memory: &'m mut [u8]) -> Self {
        let skip = memory.as_ptr().align_offset(CELL_BYTES).min(memory.len());
        let memory = &mut memory[skip..];
        let buckets = (memory.len() / CELL_BYTES / 2).max(1).next_power_of_two();
        let at = (buckets * 4).next_multiple_of(CELL_BYTES).min(memory.len());
        let (front, rest) = memory.split_at_mut(at);
        let (table, _) = front.as_chunks_mut::<4>();
        let (cells, _) = rest.as_chunks_mut::<CELL_BYTES>();
        let buckets = buckets.min(table.len());
        Self {
            cells: Cells::new(cells),
            buckets: &mut table[..buckets],
            hasher: RandomState::new(),
            keys: 0,
            with_expiry: 0,
            swept: 0,
        }
    }

    /// How many keys there are, some perhaps expired and not yet swept.
    pub fn len(&self) -> usize {
        self.keys
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// How many keys have an expiry.
    pub fn with_expiry(&self) -> usize {
        self.with_expiry
    }

    /// How many buckets there are: a power of two.
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }

    fn hash(&self, key: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish() as u32
    }

    fn bucket(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    fn head(&self, bucket: usize) -> u32 {
        u32::from_le_bytes(self.buckets[bucket])
    }

    fn find_hashed(&self, key: &[u8], hash: u32) -> Option<(Id, Header)> {
        let mut at = self.head(self.bucket(hash));
        while at != 0 {
            let id = Id(at);
            let header = Header::load(&self.cells, id);
            if header.hash == hash && usize::from(header.key) == key.len() && self.key_is(id, key) {
                return Some((id, header));
            }
            at = header.next;
        }
        None
    }

    fn key_is(&self, id: Id, key: &[u8]) -> bool {
        let mut rest = key;
        self.cells.segments(Header::key_at(id), key.len()).all(|segment| {
            let (first, after) = rest.split_at(segment.len());
            rest = after;
            first == segment
        })
    }

    /// The object of a key; an expired one goes.
    pub fn find(&mut self, key: &[u8], now: u64) -> Option<Id> {
        let (id, header) = self.find_hashed(key, self.hash(key))?;
        if header.expires != 0 && header.expires <= now {
            self.remove(id);
            return None;
        }
        Some(id)
    }

    /// Where a value lies, and its length in bytes.
    pub fn value(&self, id: Id) -> (Cursor, usize) {
        let header = Header::load(&self.cells, id);
        (header.value_at(&self.cells, id), header.value as usize)
    }

    /// Where a key lies, and its length in bytes.
    pub fn key(&self, id: Id) -> (Cursor, usize) {
        (Header::key_at(id), Header::load(&self.cells, id).key.into())
    }

    /// When it expires, in milliseconds; 0: never.
    pub fn expires(&self, id: Id) -> u64 {
        Header::load(&self.cells, id).expires
    }

    /// Sets when it expires; 0: never.
    pub fn set_expires(&mut self, id: Id, expires: u64) {
        let mut header = Header::load(&self.cells, id);
        self.count_expiry(header.expires, expires);
        header.expires = expires;
        header.store(&mut self.cells, id);
    }

    fn count_expiry(&mut self, before: u64, after: u64) {
        self.with_expiry = self.with_expiry + usize::from(after != 0) - usize::from(before != 0);
    }

    /// Cells that `set` of these takes beyond those that the key has.
    pub fn cells_needed(&self, key: &[u8], value: usize) -> usize {
        let needed = cells_of(key.len() + value);
        match self.find_hashed(key, self.hash(key)) {
            Some((_, old)) if old.pins == 0 && cells_of(key.len() + old.value as usize) == needed => 0,
            _ => needed,
        }
    }

    /// Gives a key a value, new or in place of the old one.
    ///
    /// # Errors
    /// [`Full`]; then nothing has changed.
    pub fn set(&mut self, key: &[u8], value: Source<'_>, expires: u64) -> Result<(), Full> {
        let hash = self.hash(key);
        let old = self.find_hashed(key, hash);
        if let Some((id, header)) = old
            && self.rewrite(id, header, value, expires)
        {
            return Ok(());
        }
        let len = value.len() as u32;
        let mut header = Header { hash, expires, value: len, key: key.len() as u16, ..Header::default() };
        let id = create(&mut self.cells, key, value, header).ok_or(Full)?;
        if let Some((old, _)) = old {
            self.remove(old);
        }
        let bucket = self.bucket(hash);
        header.next = self.head(bucket);
        header.store(&mut self.cells, id);
        self.buckets[bucket] = id.0.to_le_bytes();
        self.keys += 1;
        self.count_expiry(0, expires);
        Ok(())
    }

    /// Writes over a value that takes as many cells as before, unless it is pinned (OBJ-1).
    fn rewrite(&mut self, id: Id, mut header: Header, value: Source<'_>, expires: u64) -> bool {
        let key = usize::from(header.key);
        if header.pins > 0 || cells_of(key + value.len()) != cells_of(key + header.value as usize) {
            return false;
        }
        let at = header.value_at(&self.cells, id);
        let mut tail = self.cells.tail(id.0, at);
        let written = match value {
            Source::Slice(slice) => self.cells.push(&mut tail, slice),
            Source::Staged { from, len } => self.cells.push_chain(&mut tail, from, len),
        };
        debug_assert!(written.is_ok(), "as many cells as before");
        self.count_expiry(header.expires, expires);
        header.value = value.len() as u32;
        header.expires = expires;
        header.store(&mut self.cells, id);
        true
    }

    /// Adds bytes behind a value.
    ///
    /// # Errors
    /// [`Full`]; then nothing has changed.
    pub fn append(&mut self, id: Id, more: Source<'_>) -> Result<(), Full> {
        let mut header = Header::load(&self.cells, id);
        let before = usize::from(header.key) + header.value as usize;
        let after = before + more.len();
        if header.pins > 0 {
            if !self.cells.has(cells_of(after)) {
                return Err(Full);
            }
            let mut key = [0; crate::limits::MAX_KEY];
            let key = &mut key[..header.key.into()];
            self.cells.read(Header::key_at(id), key);
            let (from, len) = self.value(id);
            self.set(key, Source::Staged { from, len }, header.expires)?;
            let (id, _) = self.find_hashed(key, header.hash).ok_or(Full)?;
            return self.append(id, more);
        }
        if !self.cells.has(cells_of(after) - cells_of(before)) {
            return Err(Full);
        }
        let end = self.cells.skip(Header::key_at(id), before);
        let mut tail = self.cells.tail(id.0, end);
        match more {
            Source::Slice(slice) => self.cells.push(&mut tail, slice)?,
            Source::Staged { from, len } => self.cells.push_chain(&mut tail, from, len)?,
        }
        header.value += more.len() as u32;
        header.store(&mut self.cells, id);
        Ok(())
    }

    /// Takes an object out of the index, and frees it once nothing pins it.
    pub fn remove(&mut self, id: Id) {
        let mut header = Header::load(&self.cells, id);
        let bucket = self.bucket(header.hash);
        let mut at = self.head(bucket);
        if at == id.0 {
            self.buckets[bucket] = header.next.to_le_bytes();
        } else {
            while at != 0 {
                let mut before = Header::load(&self.cells, Id(at));
                if before.next == id.0 {
                    before.next = header.next;
                    before.store(&mut self.cells, Id(at));
                    break;
                }
                at = before.next;
            }
        }
        self.keys -= 1;
        self.count_expiry(header.expires, 0);
        if header.pins > 0 {
            (header.dead, header.next) = (true, 0);
            header.store(&mut self.cells, id);
        } else {
            self.cells.give(id.0);
        }
    }

    /// Keeps an object as it is until [`unpin`](Self::unpin).
    pub fn pin(&mut self, id: Id) {
        let mut header = Header::load(&self.cells, id);
        header.pins += 1;
        header.store(&mut self.cells, id);
    }

    /// Ends one pin.
    pub fn unpin(&mut self, id: Id) {
        let mut header = Header::load(&self.cells, id);
        header.pins -= 1;
        if header.dead && header.pins == 0 {
            self.cells.give(id.0);
        } else {
            header.store(&mut self.cells, id);
        }
    }

    /// Removes every key.
    pub fn clear(&mut self) {
        for bucket in 0..self.buckets.len() {
            while self.head(bucket) != 0 {
                self.remove(Id(self.head(bucket)));
            }
        }
    }

    /// Removes what has expired in the next `count` buckets; how many keys that were.
    pub fn sweep(&mut self, now: u64, count: usize) -> usize {
        if self.with_expiry == 0 {
            return 0;
        }
        let before = self.keys;
        for _ in 0..count.min(self.buckets.len()) {
            let mut at = self.first(self.swept);
            while let Some(id) = at {
                let header = Header::load(&self.cells, id);
                at = self.after(id);
                if header.expires != 0 && header.expires <= now {
                    self.remove(id);
                }
            }
            self.swept = (self.swept + 1) & (self.buckets.len() - 1);
        }
        before - self.keys
    }

    /// The first object of a bucket.
    pub fn first(&self, bucket: usize) -> Option<Id> {
        let head = self.head(bucket);
        (head != 0).then_some(Id(head))
    }

    /// The object behind another in its bucket.
    pub fn after(&self, id: Id) -> Option<Id> {
        let next = Header::load(&self.cells, id).next;
        (next != 0).then_some(Id(next))
    }
}
