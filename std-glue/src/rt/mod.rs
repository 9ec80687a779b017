//! The runtime: workers, a ring for each, and a file table in one static.
//!
//! RT-1: a [`RuntimeCell`] is started by one thread at a time (`taken`); each of `rings` holds a loop from its
//! worker's start until a close that left nothing detached. RT-2: a loop is used through its worker alone, on that
//! worker's thread; the cell is static, so what the kernel holds stays where it is also when it never comes
//! back. RT-3: the thread's table is that of the runtime it is inside of, or none.

mod cell;
mod config;
mod cpus;
mod main;
mod outside;
mod resident;
mod runtime;
mod seat;
mod sqpoll;
mod threads;
mod urgency;

pub use cell::{RuntimeCell, StartError};
pub use config::Config;
pub(crate) use cpus::PoolCpus;
pub use main::run_main;
pub use outside::{Pollable, Rest};
pub use runtime::Runtime;
pub use sqpoll::SqPoll;
pub(crate) use threads::SignalsBlocked;
pub use unboxed_core::exec::{Idle, Mode, Remote};

use std::cell::Cell;
use unboxed_core::exec::Worker;
use unboxed_core::file::TableControl;
use unboxed_core::op::Error;

thread_local! {
    static WORKER: Cell<*const Worker> = const { Cell::new(std::ptr::null()) };
    static TABLE: Cell<Option<&'static TableControl>> = const { Cell::new(None) };
}

// CURRENT-1: a thread-local of this module, without a destructor, that nothing here touches.
unboxed_core::current_worker_cell!(unsafe WORKER.with(std::ptr::from_ref));

/// The file table of the runtime that this thread is inside of.
///
/// # Errors
/// [`Error::NoTask`] outside a runtime.
pub fn current_table() -> Result<&'static TableControl, Error> {
    TABLE.get().ok_or(Error::NoTask)
}

/// Whether this thread is inside a runtime, or a worker of its own.
pub(crate) fn is_inside() -> bool {
    TABLE.get().is_some() || !WORKER.get().is_null()
}

/// See [`unboxed_core::exec::block_in_place`]; the thread is outside as the table has it, too.
pub(crate) fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    unboxed_core::exec::block_in_place(|| {
        let _table = TableGuard::leave();
        f()
    })
}

/// RT-3.
struct TableGuard(Option<&'static TableControl>);

impl TableGuard {
    fn enter(table: &'static TableControl) -> Self {
        Self(TABLE.replace(Some(table)))
    }

    /// For as long, this thread is inside of none.
    fn leave() -> Self {
        Self(TABLE.take())
    }
}

impl Drop for TableGuard {
    fn drop(&mut self) {
        TABLE.set(self.0);
    }
}
