//! One open descriptor.
//!
//! FILE-1: `ops` counts operations from submission until their slot is free, plus one for each handle; at
//! zero, and not before, the descriptor is closed, so the kernel never looks up a number that has another
//! owner. FILE-2: the entry owns `slot`, for one armed read or accept that outlives futures and tasks;
//! one reader or listener at a time claims it.
//! FILE-3: `lanes` remember a dropped read or write until the next one of its kind has waited for it.
//! FILE-5: a connection that came while nobody took it waits in its listener's late list, as an entry of its
//! own; `next` links it there, under the list's lock, as it links free entries under the table's.
//! FILE-4: an entry returns to the table once closed; `fd` is written while it has no handle.

use super::table::TableControl;
use crate::atomics::{AtomicBool, AtomicU32, Ordering};
use crate::event_loop::RawFile;
use crate::op::{Error, Slot, WakerCell};
use core::cell::Cell;
use core::sync::atomic::AtomicI32;
use core::task::{Context, Poll};
use spin::mutex::SpinMutex;

/// See the module. Zeroed memory is a free entry.
#[derive(Debug)]
pub struct FileEntry {
    fd: AtomicI32,
    ops: AtomicU32,
    pub(crate) table: Cell<Option<&'static TableControl>>,
    pub(crate) next: Cell<Option<&'static FileEntry>>,
    /// Connections that nobody has taken yet (FILE-5).
    pub(crate) late: LateList,
    pub(crate) lanes: [Lane; 2],
    /// For one armed read or accept.
    pub(crate) slot: Slot,
    /// Whether a reader or listener has the slot (FILE-2).
    claimed: AtomicBool,
}

// SAFETY: `table` is written once; `next` belongs to the table's lock, or a late list's (FILE-5).
unsafe impl Sync for FileEntry {}

/// Which direction an operation works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Read = 0,
    Write = 1,
}

/// What became of a dropped operation of one direction.
#[derive(Debug)]
pub(crate) struct Lane {
    state: SpinMutex<LaneState>,
    waker: WakerCell,
}

/// With a tag of its own, so that zeros are `Clear`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum LaneState {
    Clear,
    /// Cancelled operations whose terminal completion is still to come, and what those that have ended left.
    Draining(u32, Option<i32>),
    /// What the next operation gets instead.
    Late(i32),
}

impl Lane {
    const fn new() -> Self {
        Self { state: SpinMutex::new(LaneState::Clear), waker: WakerCell::new() }
    }

    /// A read or write of this lane was dropped in flight.
    pub fn drain(&self) {
        let mut state = self.state.lock();
        *state = match *state {
            LaneState::Draining(n, late) => LaneState::Draining(n + 1, late),
            LaneState::Late(result) => LaneState::Draining(1, Some(result)),
            LaneState::Clear => LaneState::Draining(1, None),
        };
    }

    /// Its terminal completion has come.
    pub fn drained(&self, result: i32, keep: bool) {
        {
            let mut state = self.state.lock();
            let (n, before) = match *state {
                LaneState::Draining(n, late) => (n, late),
                // A leaked operation, found by its task's end.
                LaneState::Clear => (1, None),
                LaneState::Late(result) => (1, Some(result)),
            };
            let late = match (before, keep && result != CANCELED) {
                (before, false) => before,
                // Bytes of several add up; they come before an end or an error.
                (Some(bytes @ 1..), true) => Some(bytes.saturating_add(result.max(0))),
                (_, true) => Some(result),
            };
            *state = match (n, late) {
                (1, Some(late)) => LaneState::Late(late),
                (1, None) => LaneState::Clear,
                _ => LaneState::Draining(n - 1, late),
            };
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Waits until no dropped operation is in flight, and gives what it left.
    pub fn poll_clear(&self, cx: &Context<'_>) -> Poll<Option<i32>> {
        if let Some(answer) = self.look() {
            return Poll::Ready(answer);
        }
        // One place for a waker: whoever waited there looks again.
        if let Some(old) = self.waker.put(cx.waker().clone())
            && !old.will_wake(cx.waker())
        {
            old.wake();
        }
        self.look().map_or(Poll::Pending, Poll::Ready)
    }

    fn look(&self) -> Option<Option<i32>> {
        let mut state = self.state.lock();
        match *state {
            LaneState::Clear => Some(None),
            LaneState::Draining(..) => None,
            LaneState::Late(result) => {
                // Bytes that are gone stay an error; an end of file or an error is delivered once.
                if result <= 0 {
                    *state = LaneState::Clear;
                }
                Some(Some(result))
            }
        }
    }
}

const CANCELED: i32 = -125;

impl FileEntry {
    pub(crate) const fn new() -> Self {
        Self {
            fd: AtomicI32::new(0),
            ops: AtomicU32::new(0),
            table: Cell::new(None),
            next: Cell::new(None),
            late: LateList::new(),
            lanes: [Lane::new(), Lane::new()],
            slot: Slot::new(),
            claimed: AtomicBool::new(false),
        }
    }

    /// The descriptor's number.
    #[inline]
    pub fn raw(&self) -> RawFile {
        self.fd.load(Ordering::Relaxed)
    }

    pub(crate) fn lane(&self, direction: Direction) -> &Lane {
        &self.lanes[direction as usize]
    }

    pub(crate) fn open(&self, fd: RawFile) {
        for lane in &self.lanes {
            *lane.state.lock() = LaneState::Clear;
        }
        self.fd.store(fd, Ordering::Relaxed);
        self.ops.store(1, Ordering::Release);
    }

    /// One more operation, by a holder of a handle.
    #[inline]
    pub(crate) fn begin_op(&self) {
        self.ops.fetch_add(1, Ordering::Relaxed);
    }

    /// An operation's slot is free, or a handle goes: the last one closes, and waits for nothing.
    #[inline]
    pub(crate) fn release(&'static self) {
        if self.ops.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.close_now();
        }
    }

    /// FILE-1: nothing is in flight and no handle is left.
    #[cold]
    fn close_now(&'static self) {
        let Some(table) = self.table.get() else { return };
        // None of these listens, so none has late connections of its own.
        while let Some(connection) = self.late.pop() {
            drop(connection);
        }
        table.close(self.raw());
        table.give_back(self);
    }

    /// Takes the entry's slot for one reader or listener (FILE-2).
    ///
    /// # Panics
    /// When the file has one already.
    pub(crate) fn claim_slot(&self) {
        let had = self.claimed.swap(true, Ordering::Acquire);
        assert!(!had, "unboxed: this file has a Reader or a Listener already");
    }

    /// The reader or listener goes.
    pub(crate) fn unclaim_slot(&self) {
        self.claimed.store(false, Ordering::Release);
    }

    /// Keeps a connection for the next accept, in an entry of its own; false when the table is full, and the
    /// connection is closed and counted.
    ///
    /// # Safety
    /// R4: an accept of this listener brought `fd`, to nobody else.
    pub(crate) unsafe fn keep_late(&self, fd: RawFile) -> bool {
        let Some(table) = self.table.get() else { return false };
        match table.reserve() {
            // SAFETY: passed on.
            Ok(reservation) => self.late.push(unsafe { reservation.open(fd) }),
            Err(_) => {
                table.refuse(fd);
                return false;
            }
        }
        true
    }
}

/// Connections in the order in which they came.
#[derive(Debug)]
pub(crate) struct LateList(SpinMutex<Ends>);

#[derive(Debug)]
struct Ends {
    first: Option<&'static FileEntry>,
    last: Option<&'static FileEntry>,
}

impl LateList {
    const fn new() -> Self {
        Self(SpinMutex::new(Ends { first: None, last: None }))
    }

    fn push(&self, connection: FileHandle) {
        // The list owns the handle's count.
        let entry = connection.entry;
        core::mem::forget(connection);
        let mut ends = self.0.lock();
        entry.next.set(None);
        match ends.last.replace(entry) {
            Some(last) => last.next.set(Some(entry)),
            None => ends.first = Some(entry),
        }
    }

    pub fn pop(&self) -> Option<FileHandle> {
        let mut ends = self.0.lock();
        let entry = ends.first?;
        ends.first = entry.next.take();
        if ends.first.is_none() {
            ends.last = None;
        }
        Some(FileHandle { entry })
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().first.is_none()
    }
}

/// A counted handle to an open descriptor; the last one closes it once its operations have ended.
///
/// # Cancel safety
/// Dropping it waits for nothing.
#[derive(Debug)]
pub struct FileHandle {
    pub(crate) entry: &'static FileEntry,
}

impl FileHandle {
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
        self.entry.begin_op();
        Self { entry: self.entry }
    }
}

impl Drop for FileHandle {
    fn drop(&mut self) {
        self.entry.release();
    }
}
