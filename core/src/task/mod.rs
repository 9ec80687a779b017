//! Tasks: header, block, pool, handles. Everything lies in the block, and the block where the user put it.
//!
//! ```text
//!  block: | header 32 | bookkeeping 32 | K slots of 128 | B bytes | body: future, then output |
//!
//!            claim          publish        start                 done           last reference
//!   FREE ------------> CLAIMED ----> QUEUED ----> RUNNING ------------> DONE ------------> FREE
//!                                      ^             | pending            |
//!                                      +--- wake ----+                    +-- slots that the kernel
//!                                                                             holds pin the block (R7)
//! ```
//!
//! The steps are in `state.rs`, the count in `refs.rs`, the field table in `header.rs`.
//!
//! BODY-1: the body holds the future while LIVE, the output after done, and nothing once the output is
//! taken or was never written (NO_OUTPUT). BODY-2: the future is touched by the runner alone, while
//! RUNNING; the output by whoever the DETACHED flag names: the runner if it was set before done, the
//! handle otherwise.

mod refs;
#[cfg(all(test, loom))]
mod refs_loom;
pub mod state;
#[cfg(all(test, loom))]
mod state_loom;

pub use refs::Refs;

#[cfg(not(loom))]
mod block;
#[cfg(not(loom))]
mod body;
#[cfg(not(loom))]
mod bytes;
#[cfg(not(loom))]
mod finish;
#[cfg(not(loom))]
mod header;
#[cfg(not(loom))]
mod join;
#[cfg(not(loom))]
mod lane;
#[cfg(not(loom))]
mod line;
#[cfg(not(loom))]
mod pool;
#[cfg(not(loom))]
mod registry;
#[cfg(not(loom))]
mod reserve;
#[cfg(not(loom))]
mod spawn;
#[cfg(not(loom))]
pub mod support;
#[cfg(not(loom))]
mod vtable;
#[cfg(not(loom))]
mod waker;
#[cfg(not(loom))]
mod yield_if_due;
#[cfg(not(loom))]
mod yield_now;

#[cfg(not(loom))]
pub use {
    block::block_overhead,
    bytes::{Bytes, Lent},
    header::{Header, TaskCore, TaskRef},
    join::{AbortHandle, JoinError, JoinHandle},
    lane::Lane,
    pool::PoolMemory,
    registry::for_each_pool,
    reserve::Reserve,
    spawn::{Reservation, ReserveError, SpawnError},
    vtable::TaskVtable,
    yield_if_due::{YieldIfDue, yield_if_due},
    yield_now::{YieldNow, yield_now},
};

#[cfg(not(loom))]
pub(crate) use {
    body::Body,
    finish::{finish, unref},
    header::Holder,
    pool::{PoolControl, PoolInfo},
    registry::{abort_where, for_each_task, register},
    vtable::{BODY_DONE, BODY_PENDING, busy_beyond},
    waker::{clone_of as clone_waker, of as waker_of, task_of},
};
