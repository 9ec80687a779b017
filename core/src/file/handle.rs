//! Handles to open descriptors.

use super::entry::FileEntry;
use super::uses::Direction;
use crate::event_loop::RawFile;
use crate::op::Error;

/// A counted handle to an open descriptor; the last one closes it once its operations have ended.
///
/// # Cancel safety
/// Dropping it waits for nothing.
#[derive(Debug)]
pub struct FileHandle {
    pub(crate) entry: &'static FileEntry,
    /// Which lanes are this handle's alone: bits by [`Direction`] (USES-1).
    lanes: u8,
}

const BOTH_LANES: u8 = 0b11;

impl FileHandle {
    /// The first handle of an open entry, or the one that a list kept.
    pub(super) fn whole(entry: &'static FileEntry) -> Self {
        Self { entry, lanes: BOTH_LANES }
    }

    /// A handle for reading and one for writing.
    pub fn split(self) -> (Self, Self) {
        let (mut read, mut write) = (self.clone(), self);
        read.lanes = write.lanes & 1 << Direction::Read as u8;
        write.lanes &= 1 << Direction::Write as u8;
        (read, write)
    }

    /// Whether the lane is this handle's alone.
    #[inline]
    pub(crate) fn has_lane(&self, direction: Direction) -> bool {
        self.lanes & 1 << direction as u8 != 0
    }

    /// The entry.
    pub fn entry(&self) -> &'static FileEntry {
        self.entry
    }

    /// The descriptor's number; it stays this file's as long as the handle lives.
    pub fn raw(&self) -> RawFile {
        self.entry.raw()
    }

    /// The error that a read or write finds when its lane was left dirty.
    pub(crate) fn late_error(result: i32) -> Result<u32, Error> {
        match result {
            bytes @ 1.. => Err(Error::BytesDropped(bytes as u32)),
            end => Error::check(end),
        }
    }
}

impl Clone for FileHandle {
    fn clone(&self) -> Self {
        self.entry.add_handle();
        Self { entry: self.entry, lanes: 0 }
    }
}

impl Drop for FileHandle {
    fn drop(&mut self) {
        self.entry.release();
    }
}

/// A handle as an operation borrows it: shared, or alone. A stream lends itself alone, which costs an operation no
/// counting; a file that is read at several places at once is shared.
#[derive(Debug)]
pub struct FileUse<'a> {
    pub(crate) handle: &'a FileHandle,
    alone: bool,
}

impl FileUse<'_> {
    /// The lane, if nobody else can begin an operation in it for as long as this one lasts (USES-1).
    #[inline]
    pub(crate) fn lane(&self, direction: Direction) -> Option<Direction> {
        (self.alone && self.handle.has_lane(direction)).then_some(direction)
    }

    #[inline]
    pub(crate) fn entry(&self) -> &'static FileEntry {
        self.handle.entry
    }
}

impl<'a> From<&'a FileHandle> for FileUse<'a> {
    fn from(handle: &'a FileHandle) -> Self {
        Self { handle, alone: false }
    }
}

impl<'a> From<&'a mut FileHandle> for FileUse<'a> {
    fn from(handle: &'a mut FileHandle) -> Self {
        Self { handle, alone: true }
    }
}
