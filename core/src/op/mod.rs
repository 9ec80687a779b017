//! Operations: slots, the handle that drives one, and what it keeps alive.
//!
//! ```text
//!         submit            terminal completion         taken by the holder
//!  FREE ----------> IN_FLIGHT ------------------> READY -------------------> FREE, next generation
//!                     |  dropped: orphan, cancel posted, nobody waits          ^
//!                     +--------- terminal completion, dispatch ----------------+
//! ```
//!
//! The field table and the rules are in `slot.rs`, a task's ending in `hold.rs` and `task/finish.rs`.

mod completer;
#[cfg(all(test, loom))]
mod completer_loom;
mod hold;
#[cfg(all(test, loom))]
mod hold_loom;
mod waker_cell;
#[cfg(all(test, loom))]
mod waker_cell_loom;

pub use completer::{Completer, Completion, Completions};
pub use hold::Hold;
pub use waker_cell::WakerCell;

#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod keep;
#[cfg(not(loom))]
mod nop;
#[cfg(not(loom))]
mod results;
#[cfg(not(loom))]
mod slot;

#[cfg(not(loom))]
pub use {
    error::Error,
    handle::{Cancelled, OpHandle, Operation, Parts},
    keep::{KeepVtable, RawBuf},
    nop::{Nop, nop},
    results::{Multishot, ResultQueue},
    slot::Slot,
};

#[cfg(not(loom))]
pub(crate) use {
    handle::{Adopted, SlotRef, place},
    keep::{KEEP_FILE, more},
    slot::{
        FREE, IN_FLIGHT, Queued, READY, REQ_CANCEL, REQ_DROP, REQ_WAKER, SlotBody, SlotKind, TAKING,
        TimerBody, same_generation,
    },
};
