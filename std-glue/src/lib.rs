//! An async runtime in which everything lives where the user put it.
//!
//! Tasks, op slots, timers and buffers are memory that the caller owns; the runtime links them together and
//! never allocates. This crate binds [`unboxed_core`] to io_uring, threads and sockets, and re-exports it.
#![cfg(target_os = "linux")]

pub use unboxed_core::{buf, event_loop, exec, file, op, queue, task, time};
pub use unboxed_macros::{main, task};

use std::cell::Cell;

thread_local! {
    static CURRENT: Cell<*const exec::Worker> = const { Cell::new(std::ptr::null()) };
}

unboxed_core::current_worker_cell!(CURRENT.with(std::ptr::from_ref));
