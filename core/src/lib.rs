//! Tasks, op slots, queues, executor, timers and a scripted event loop, all in memory that the caller owns.
//!
//! `no_std`, without `alloc`. The `unboxed` crate binds it to io_uring and threads, and re-exports it.
//!
//! | room | what lives there |
//! |---|---|
//! | [`task`] | headers, blocks, static pools, join handles, a task's bytes |
//! | [`op`] | op slots and the handle that drives one |
//! | [`event_loop`] | the trait of what completes operations; the scripted loop |
//! | [`exec`] | worker, turn, root task, closing |
//! | [`time`] | the timer wheel; `sleep`, `timeout`, `interval` |
//! | [`file`](mod@file) | the static table of descriptors |
//! | [`io`] | reads, writes, accepts over the file table, the same on every loop |
//! | [`channel`] | queues and single values between tasks |
//! | [`combine`] | `join`, `select` and `race` |
//! | [`buf`] | buffers that operations may borrow |
//! | [`storage`] | bodies in arenas, on the stack, in the user's allocator, or not Rust at all |
//! | [`blocking`] | jobs for threads that may block |
//! | [`recursion`] | tail restart, and frames for async recursion |
//! | [`memory`] | the map of all of it |
//! | [`observe`] | what the workers count, as others see it |
//! | [`queue`] | run queue and inbox |
//! | [`sync`] | locks, semaphores, notifications, cells: for one thread, for all tasks, for threads as well |
//!
//! Each room's page begins with its rules by name; unsafe blocks cite them.
#![cfg_attr(not(test), no_std)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(not(loom))]
mod ahead;
mod atomics;
pub mod blocking;
#[cfg(not(loom))]
pub mod buf;
pub mod channel;
#[cfg(not(loom))]
pub mod combine;
#[cfg(not(loom))]
pub mod event_loop;
pub mod exec;
pub mod file;
#[cfg(not(loom))]
pub mod io;
#[cfg(not(loom))]
pub mod memory;
pub mod observe;
pub mod op;
pub mod queue;
#[cfg(not(loom))]
pub mod recursion;
#[cfg(not(loom))]
pub mod storage;
// A model of what `storage` will do on threads; the room itself is not built under loom.
#[cfg(all(test, loom))]
#[path = "storage/scope_loom.rs"]
mod scope_loom;
#[cfg(all(test, loom))]
mod support_loom;
pub mod sync;
pub mod task;
#[cfg(not(loom))]
pub mod time;
