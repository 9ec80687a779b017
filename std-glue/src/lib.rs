//! An async runtime in which everything lives where the user put it.
//!
//! Tasks, op slots, timers and buffers are memory that the caller owns; the runtime links them together and
//! never allocates. This crate binds [`unboxed_core`] to io_uring, threads and sockets, and re-exports it.
//!
//! | room | what lives there |
//! |---|---|
//! | [`rt`] | the runtime of one thread or several: storage, configuration, `block_on`, closing |
//! | [`ring`] | the io_uring loop |
//! | [`net`] | TCP |
//! | [`fs`](mod@fs) | files |
//! | [`observe`] | counters, histograms, traces, slow polls |
//! | [`signal`] | ctrl-c and terminate |
//! | [`sync`] | locks that know what they guard, and threads that block on them |
//! | [`blocking`] | threads for what blocks |
//! | [`alloc`] | a counting allocator, to prove that nothing is allocated |
#![cfg(target_os = "linux")]

pub use unboxed_core::{
    buf, channel, combine, event_loop, exec, file, io, memory, op, queue, recursion, storage, task, time,
};
pub use unboxed_macros::{main, task};

pub mod alloc;
pub mod blocking;
pub mod fs;
pub mod net;
pub mod observe;
pub mod ring;
pub mod rt;
pub mod signal;
pub mod sync;

pub use op::Error;
pub use task::{Bytes, JoinHandle, yield_if_due, yield_now};

/// The pages' examples run.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../docs/porting.md")]
    struct Porting;
    #[doc = include_str!("../../docs/storage.md")]
    struct WhichStorage;
}
