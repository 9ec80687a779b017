//! Reads, writes, accepts: typed operations over the file table, the same on every loop.
//!
//! IO-1: an operation begins only with a buffer that it may name (R0): a task's own bytes that are not lent,
//! an owned buffer whose raw parts go into the slot, or a static one. IO-2: what is dropped in flight is
//! remembered by its file's lane until the next operation of that direction has waited for it (R5).

mod accept;
mod incoming;
mod lend;
mod part;
mod plain;
mod reader;
mod transfer;
mod vectored;

pub use accept::{Accept, Listener};
pub use incoming::Incoming;
pub use lend::{IntoLend, Lend, Moved};
pub use plain::{FileOp, file_op};
pub use reader::{Fill, Reader};
pub use transfer::{Transfer, TransferKind, WriteAll, transfer, write_all};
pub use vectored::{Piece, SendVectored, send_vectored};
