//! The table: a static array of entries, its free list, and the list of tables.
//!
//! TABLE-1: the free list is touched under the lock only; entries beyond `fresh` were never used, and are in no list.
//! TABLE-3: the entries' slots and lanes lie at their index in arrays of their own (FILE-6), which are known before the
//! first entry is taken, and do not change.

use super::entry::{EntryPlace, FileEntry};
use super::handle::FileHandle;
use super::lane::LaneMemory;
use crate::atomics::{AtomicPtr, Ordering};
use crate::event_loop::RawFile;
use crate::exec::current;
use crate::op::{Error, Slot};
use core::ptr;
use spin::mutex::SpinMutex;
use spin::once::Once;

/// What every size of table has.
pub struct TableControl {
    arrays: Once<Arrays>,
    inner: SpinMutex<Inner>,
    next_table: AtomicPtr<TableControl>,
}

/// TABLE-3.
struct Arrays {
    entries: &'static [FileEntry],
    slots: &'static [Slot],
    lanes: &'static [LaneMemory],
    /// Of the whole table.
    bytes: usize,
}

struct Inner {
    free: Option<&'static FileEntry>,
    fresh: u32,
    used: u32,
    used_max: u32,
    refused: u32,
    close: Option<fn(RawFile)>,
}

// SAFETY: TABLE-1.
unsafe impl Send for Inner {}

impl core::fmt::Debug for TableControl {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // A copy first: what is written to is foreign code, and does not run under the lock.
        let memory = self.memory();
        write!(f, "TableControl({} of {})", memory.used, memory.entries)
    }
}

/// Room for `N` open descriptors.
pub struct FileTable<const N: usize> {
    control: TableControl,
    entries: [FileEntry; N],
    slots: [Slot; N],
    lanes: [LaneMemory; N],
}

impl<const N: usize> core::fmt::Debug for FileTable<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FileTable({} of {N})", self.control.memory().used)
    }
}

/// With what lies beside it.
const ENTRY_BYTES: usize = size_of::<FileEntry>() + size_of::<Slot>() + size_of::<LaneMemory>();

/// What a table uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileTableMemory {
    /// Entries.
    pub entries: u32,
    /// Bytes of one: a line that every operation uses, a slot for an armed read or accept, and what dropped operations
    /// leave. Connections that have neither touch the line alone.
    pub entry_bytes: usize,
    /// Bytes of the table beside its entries.
    pub beside: usize,
    /// In use now.
    pub used: u32,
    /// The most that were in use at once.
    pub used_max: u32,
    /// Connections that a stream of connections closed at once, because the table was full.
    pub refused: u32,
}

static TABLES: AtomicPtr<TableControl> = AtomicPtr::new(ptr::null_mut());

impl<const N: usize> FileTable<N> {
    /// An empty table. It is all zeros, hence in `.bss` as a static.
    pub const fn new() -> Self {
        let inner = Inner { free: None, fresh: 0, used: 0, used_max: 0, refused: 0, close: None };
        Self {
            control: TableControl {
                arrays: Once::new(),
                inner: SpinMutex::new(inner),
                next_table: AtomicPtr::new(ptr::null_mut()),
            },
            entries: [const { FileEntry::new() }; N],
            slots: [const { Slot::new() }; N],
            lanes: [const { LaneMemory::new() }; N],
        }
    }

    /// How a descriptor is closed where no loop is at hand; without this it is not.
    pub fn on_close(&'static self, close: fn(RawFile)) {
        self.control.inner.lock().close = Some(close);
    }

    /// The part that does not know `N`.
    pub fn control(&'static self) -> &'static TableControl {
        self.control.arrays.call_once(|| {
            // Before anybody can have the control: a close must find each table in which an operation may be armed.
            self.control.register();
            let Self { entries, slots, lanes, .. } = self;
            Arrays { entries, slots, lanes, bytes: size_of::<Self>() }
        });
        &self.control
    }
}

impl<const N: usize> Default for FileTable<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl TableControl {
    fn register(&'static self) {
        let mut head = TABLES.load(Ordering::Relaxed);
        loop {
            self.next_table.store(head, Ordering::Relaxed);
            let this = ptr::from_ref(self).cast_mut();
            match TABLES.compare_exchange_weak(head, this, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => head = seen,
            }
        }
    }

    /// Takes an entry before there is a descriptor for it.
    ///
    /// # Errors
    /// [`Error::TableFull`].
    pub fn reserve(&'static self) -> Result<FileReservation, Error> {
        let mut inner = self.inner.lock();
        let entry = match inner.free {
            Some(entry) => {
                inner.free = entry.next.get();
                entry
            }
            None => {
                let index = inner.fresh;
                let Some(entry) = self.arrays().entries.get(index as usize) else {
                    return Err(Error::TableFull { entries: index });
                };
                inner.fresh += 1;
                entry.place.set(Some(EntryPlace { table: self, index }));
                entry
            }
        };
        inner.used += 1;
        inner.used_max = inner.used_max.max(inner.used);
        drop(inner);
        Ok(FileReservation { entry })
    }

    /// TABLE-3. Whoever has an entry, or the control itself, has it from there.
    fn arrays(&self) -> &Arrays {
        self.arrays.get().expect("unboxed: a table is used before it has given out its control")
    }

    /// The slot of the entry at `index`.
    pub(super) fn slot(&'static self, index: u32) -> &'static Slot {
        &self.arrays().slots[index as usize]
    }

    /// The memory of its lanes.
    pub(super) fn lanes(&'static self, index: u32) -> &'static LaneMemory {
        &self.arrays().lanes[index as usize]
    }

    /// Closes a descriptor through the thread's loop, or directly where there is none.
    pub(crate) fn close(&self, fd: RawFile) {
        match current::get().and_then(|w| w.event_loop.get()) {
            Some(event_loop) => event_loop.close_file(fd),
            None => self.close_directly(fd),
        }
    }

    fn close_directly(&self, fd: RawFile) {
        let close = self.inner.lock().close;
        if let Some(close) = close {
            close(fd);
        }
    }

    /// Closes a connection that found no entry, through the loop, which is ours to call while it reaps.
    pub(crate) fn refuse(&self, fd: RawFile) {
        self.inner.lock().refused += 1;
        self.close(fd);
    }

    pub(crate) fn give_back(&self, entry: &'static FileEntry) {
        let mut inner = self.inner.lock();
        entry.next.set(inner.free);
        inner.free = Some(entry);
        inner.used -= 1;
    }

    /// Use and high-water mark.
    pub fn memory(&self) -> FileTableMemory {
        let arrays = self.arrays.get();
        let (entries, bytes) = arrays.map_or((0, 0), |arrays| (arrays.entries.len(), arrays.bytes));
        let inner = self.inner.lock();
        FileTableMemory {
            entries: entries as u32,
            entry_bytes: ENTRY_BYTES,
            beside: bytes - entries * ENTRY_BYTES,
            used: inner.used,
            used_max: inner.used_max,
            refused: inner.refused,
        }
    }
}

/// An entry without a descriptor. Dropping it gives the entry back.
#[derive(Debug)]
pub struct FileReservation {
    entry: &'static FileEntry,
}

impl FileReservation {
    /// Fills the entry; from now on the descriptor is the table's to close.
    ///
    /// # Safety
    /// `fd` is open and nobody else's: no one closes it, or uses it after the last handle is gone (R4).
    pub unsafe fn open(self, fd: RawFile) -> FileHandle {
        let entry = self.entry;
        core::mem::forget(self);
        entry.open(fd);
        FileHandle::whole(entry)
    }
}

impl Drop for FileReservation {
    fn drop(&mut self) {
        self.entry.table().give_back(self.entry);
    }
}

/// Every table that has been used, and where it lies.
pub fn for_each_table(mut f: impl FnMut(usize, FileTableMemory)) {
    let mut at = TABLES.load(Ordering::Acquire);
    // SAFETY: tables are static and only ever added.
    while let Some(table) = unsafe { at.as_ref() } {
        f(at.addr(), table.memory());
        at = table.next_table.load(Ordering::Relaxed);
    }
}

/// The slot of every entry in which an operation may be armed.
pub(crate) fn for_each_slot(mut f: impl FnMut(&'static Slot)) {
    let mut at = TABLES.load(Ordering::Acquire);
    // SAFETY: tables are static and only ever added.
    while let Some(table) = unsafe { at.as_ref() } {
        let fresh = table.inner.lock().fresh as usize;
        let entries = table.arrays.get().map_or(&[][..], |arrays| &arrays.entries[..fresh]);
        entries.iter().filter_map(FileEntry::slot_in_use).for_each(&mut f);
        at = table.next_table.load(Ordering::Relaxed);
    }
}
