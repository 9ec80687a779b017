//! The static table of open descriptors (R4): entries, who uses them, closing without waiting.

mod uses;
#[cfg(all(test, loom))]
mod uses_loom;

#[cfg(not(loom))]
mod entry;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod lane;
#[cfg(not(loom))]
mod table;

#[cfg(not(loom))]
pub use {
    entry::FileEntry,
    handle::{FileHandle, FileUse},
    table::{FileReservation, FileTable, FileTableMemory, TableControl, for_each_table},
};

#[cfg(not(loom))]
pub(crate) use {entry::Held, table::for_each_slot, uses::Direction};
