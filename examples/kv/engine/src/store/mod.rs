//! Keys and values in fixed cells.

mod cells;
mod index;
mod object;

pub use cells::{CELL_BYTES, CELL_DATA, Cells, Cursor, Full, Tail};
pub use index::Store;
pub use object::{Id, Source};
