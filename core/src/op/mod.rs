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
mod hold;
#[cfg(all(test, loom))]
mod hold_loom;
#[cfg_attr(loom, allow(dead_code))]
mod request;
#[cfg(all(test, loom))]
mod request_loom;
mod waker_cell;
#[cfg(all(test, loom))]
mod waker_cell_loom;
#[cfg_attr(loom, allow(dead_code))]
mod word;

pub use completer::{Completer, Completion, Completions};
pub use hold::Hold;
pub use waker_cell::WakerCell;

#[cfg(not(loom))]
mod begin;
#[cfg(not(loom))]
mod custom;
#[cfg(not(loom))]
mod end;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod keep;
#[cfg(not(loom))]
mod nop;
#[cfg(not(loom))]
mod operation;
#[cfg(not(loom))]
mod results;
#[cfg(not(loom))]
mod slot;
#[cfg(not(loom))]
mod slot_kind;

#[cfg(not(loom))]
pub use {
    custom::{Custom, custom},
    error::Error,
    handle::{OpHandle, Parts},
    keep::{KeepVtable, RawBuf},
    nop::{Nop, nop},
    operation::{Cancelled, Operation},
    results::{Multishot, ResultQueue},
    slot::Slot,
};

#[cfg(not(loom))]
pub(crate) use {
    begin::place,
    handle::{Adopted, SlotRef},
    keep::{KEEP_FILE, more},
    request::low as low_generation,
    request::{REQ_CANCEL, REQ_DROP, REQ_WAKER},
    slot_kind::{Queued, SlotBody, SlotKind, TimerBody},
    word::{FREE, IN_FLIGHT, READY, TAKING},
};
