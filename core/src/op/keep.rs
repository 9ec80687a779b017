//! What an operation keeps alive until its terminal completion: a buffer as raw parts, and a file.
//!
//! KEEP-1: the raw parts lie in the slot, never in the future, so neither a leak nor a drop of the future
//! can take them from under the kernel (R0). Whoever frees the slot uses them up: the holder turns them
//! back into the buffer, everyone else calls `discard`, exactly one of the two, once.
//! KEEP-2: the submitter counted the operation among its file's uses, or was lent the file (USES-1), and whoever frees
//! the slot gives that back, so the entry is still this operation's file when its parts are used up.

use crate::file::FileEntry;

/// A buffer's raw parts; see [`IoBuf`](crate::buf::IoBuf).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawBuf {
    /// First byte.
    pub data: *mut u8,
    /// Bytes that hold a value.
    pub len: u32,
    /// Bytes that there are.
    pub capacity: u32,
}

impl RawBuf {
    /// No buffer.
    pub const NONE: Self = Self { data: core::ptr::null_mut(), len: 0, capacity: 0 };
}

/// How an operation's kept parts end, when no holder takes them.
#[derive(Debug)]
pub struct KeepVtable {
    /// Uses up the parts and the result of an operation that nobody waits for: frees the buffer, keeps or
    /// closes a late descriptor.
    pub(crate) discard: unsafe fn(RawBuf, i32, Option<&'static FileEntry>),
    /// Takes one result of a multishot; false asks that it be cancelled.
    pub(crate) more: unsafe fn(RawBuf, i32, Option<&'static FileEntry>) -> bool,
}

/// The parts in the slot.
#[derive(Clone, Copy)]
pub(crate) struct Keep {
    pub raw: RawBuf,
    pub vtable: &'static KeepVtable,
    pub file: Option<&'static FileEntry>,
}

/// Keeps a file, or nothing, and no result that matters.
pub(crate) static KEEP_FILE: KeepVtable = KeepVtable { discard: discard_nothing, more };

fn discard_nothing(_: RawBuf, _: i32, _: Option<&'static FileEntry>) {}

/// For operations with one result.
pub(crate) fn more(_: RawBuf, _: i32, _: Option<&'static FileEntry>) -> bool {
    true
}
