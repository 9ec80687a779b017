//! The static table of open descriptors (R4): entries, their operations' count, closing without waiting.

mod entry;
mod table;

pub use entry::{FileEntry, FileHandle};
pub use table::{FileReservation, FileTable, FileTableMemory, TableControl, for_each_table};

pub(crate) use entry::Direction;
pub(crate) use table::for_each_slot;
