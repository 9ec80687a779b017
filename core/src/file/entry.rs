//! One open descriptor.
//!
//! FILE-1: `uses` knows the handles, and the operations from submission until their slot is free (`uses.rs`); when
//! there is none of either, and not before, the descriptor is closed, so the kernel never looks up a number that
//! has another owner. FILE-2: the entry owns a slot, for one armed read or accept that outlives futures and
//! tasks; one reader or listener at a time claims it.
//! FILE-3: the lanes remember a dropped read or write until the next one of its kind has waited for it (`lane.rs`).
//! FILE-5: a connection that came while nobody took it waits in its listener's late list, as an entry of its
//! own; `next` links it there, under the list's lock, as it links free entries under the table's.
//! FILE-4: an entry returns to the table once closed; `fd` is written while it has no handle.
//! FILE-6: an entry's slot, and the memory of its lanes, lie in arrays of their own beside the entries. A connection whose
//! operations are awaited uses neither, so where memory is paged they take none.

use super::handle::FileHandle;
use super::lane::{Lane, LaneMark, LaneMemory};
use super::table::TableControl;
use super::uses::{Direction, Uses};
use crate::atomics::{AtomicBool, Ordering};
use crate::event_loop::RawFile;
use crate::op::Slot;
use core::cell::Cell;
use core::sync::atomic::AtomicI32;
use spin::mutex::SpinMutex;

/// See the module: what every read and write looks at, in one line. Zeroed memory is a free entry.
#[repr(C, align(64))]
pub struct FileEntry {
    fd: AtomicI32,
    uses: Uses,
    marks: [LaneMark; 2],
    /// Whether a reader or listener has the slot (FILE-2).
    claimed: AtomicBool,
    /// Whether the slot has ever been claimed, so that it may be in use.
    slot_used: AtomicBool,
    /// Written as it is taken out of the table for the first time.
    pub(super) place: Cell<Option<EntryPlace>>,
    pub(crate) next: Cell<Option<&'static FileEntry>>,
    /// Connections that nobody has taken yet (FILE-5).
    pub(crate) late: LateList,
}

/// Where an entry belongs.
#[derive(Clone, Copy)]
pub(super) struct EntryPlace {
    pub table: &'static TableControl,
    /// In its table, and in the arrays beside it (FILE-6).
    pub index: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<FileEntry>() == 64);

// SAFETY: `place` is written once, by whoever takes the entry out of the table for the first time (TABLE-1);
// `next` belongs to the table's lock, or a late list's (FILE-5).
unsafe impl Sync for FileEntry {}

impl core::fmt::Debug for FileEntry {
    /// The rest belongs to locks, or leads through the whole table.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FileEntry({self:p}, descriptor {})", self.raw())
    }
}

impl FileEntry {
    pub(crate) const fn new() -> Self {
        Self {
            fd: AtomicI32::new(0),
            uses: Uses::new(),
            marks: [LaneMark::new(), LaneMark::new()],
            claimed: AtomicBool::new(false),
            slot_used: AtomicBool::new(false),
            place: Cell::new(None),
            next: Cell::new(None),
            late: LateList::new(),
        }
    }

    fn place(&self) -> EntryPlace {
        self.place.get().expect("unboxed: a file's entry is used outside of its table")
    }

    /// The table that it belongs to.
    pub(crate) fn table(&self) -> &'static TableControl {
        self.place().table
    }

    /// For one armed read or accept.
    pub(crate) fn slot(&self) -> &'static Slot {
        let place = self.place();
        place.table.slot(place.index)
    }

    /// The slot, if an operation may be in it.
    pub(super) fn slot_in_use(&self) -> Option<&'static Slot> {
        self.slot_used.load(Ordering::Acquire).then(|| self.slot())
    }

    /// The descriptor's number.
    #[inline]
    pub fn raw(&self) -> RawFile {
        self.fd.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn lane(&self, direction: Direction) -> Lane<'_> {
        Lane::of(&self.marks[direction as usize], self, direction)
    }

    /// Of both lanes.
    pub(super) fn lanes(&self) -> &'static LaneMemory {
        let place = self.place();
        place.table.lanes(place.index)
    }

    pub(crate) fn open(&self, fd: RawFile) {
        self.lane(Direction::Read).clear();
        self.lane(Direction::Write).clear();
        self.fd.store(fd, Ordering::Relaxed);
        self.uses.open();
    }

    /// One more operation, by a holder of a handle: with its lane to itself it is lent the file, if that is not
    /// lent already; else it counts itself.
    #[inline]
    pub(crate) fn begin_op(&self, lane: Option<Direction>) -> Held {
        match lane {
            Some(direction) if self.uses.lend(direction) => Held::lent(direction),
            _ => {
                self.uses.add();
                Held::Counted
            }
        }
    }

    /// An operation's slot is free, in a poll of its future, which borrows a handle.
    #[inline]
    pub(crate) fn end_op(&'static self, held: Held) {
        match held.lane() {
            Some(direction) => self.uses.take_back(direction),
            None => self.release(),
        }
    }

    /// An operation's slot is free, and its future may be gone: the last user closes, and waits for nothing.
    pub(crate) fn end_op_unseen(&'static self, held: Held) {
        match held.lane() {
            Some(direction) => {
                if self.uses.give_back(direction) {
                    self.close_now();
                }
            }
            None => self.release(),
        }
    }

    /// One more handle, by a holder of one.
    pub(super) fn add_handle(&self) {
        self.uses.add();
    }

    /// A handle or a counted operation goes.
    #[inline]
    pub(super) fn release(&'static self) {
        if self.uses.release() {
            self.close_now();
        }
    }

    /// FILE-1: nothing is in flight and no handle is left.
    #[cold]
    fn close_now(&'static self) {
        let table = self.table();
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
        self.slot_used.store(true, Ordering::Release);
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
        let table = self.table();
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

/// How an operation in flight holds its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Held {
    /// It is counted.
    Counted = 0,
    /// A handle has lent it its lane.
    Read = 1,
    /// The same.
    Write = 2,
}

impl Held {
    #[inline]
    fn lent(direction: Direction) -> Self {
        match direction {
            Direction::Read => Self::Read,
            Direction::Write => Self::Write,
        }
    }

    #[inline]
    fn lane(self) -> Option<Direction> {
        match self {
            Self::Counted => None,
            Self::Read => Some(Direction::Read),
            Self::Write => Some(Direction::Write),
        }
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
        Some(FileHandle::whole(entry))
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().first.is_none()
    }
}
