//! The executor: one worker, its loop, and the turn that joins them.
//!
//! ```text
//!  submit -> EventLoop -> reap (results into slots, wakers into the batch)
//!    ^                      |
//!    |                   dispatch (wake, drop keep-alives, close files)
//!    |                      |
//!  poll  <- run queue <- TaskRef::wake <- any thread, through the inbox and one doorbell
//! ```
//!
//! WORKER-1: workers are `'static` and never move. WORKER-2: what is not an inbox, the parker or the
//! doorbell is touched only on the thread that started the worker, through an [`Executor`], which cannot
//! leave that thread. WORKER-3: a turn is never entered from within a turn.

#[cfg_attr(loom, allow(dead_code))]
mod calls;
#[cfg(all(test, loom))]
mod calls_loom;
mod park;
#[cfg(all(test, loom))]
mod park_loom;
#[cfg(all(test, loom))]
mod park_model_loom;
#[cfg(all(test, loom))]
mod park_rounds_loom;
#[cfg_attr(loom, allow(dead_code))]
mod stages;
#[cfg(all(test, loom))]
mod stages_loom;
pub use park::Parker;

#[cfg(not(loom))]
mod batch;
#[cfg(not(loom))]
mod close;
#[cfg(not(loom))]
pub mod current;
#[cfg(not(loom))]
mod executor;
#[cfg(not(loom))]
mod held;
#[cfg(not(loom))]
mod idle;
#[cfg(not(loom))]
mod in_place;
#[cfg(not(loom))]
mod lanes;
#[cfg(not(loom))]
mod line;
#[cfg(not(loom))]
mod orphan;
#[cfg(not(loom))]
mod remote;
#[cfg(not(loom))]
mod rest;
#[cfg(not(loom))]
mod root;
#[cfg(not(loom))]
mod scheduler;
#[cfg(not(loom))]
mod share;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
mod storage;
#[cfg(not(loom))]
mod turn;
#[cfg(not(loom))]
mod worker;

#[cfg(not(loom))]
pub use {
    close::CloseReport,
    executor::{Executor, StartError},
    idle::Idle,
    in_place::block_in_place,
    remote::Remote,
    root::{RootRun, RootStep, Rooted},
    scheduler::{Mode, WORKERS_MAX},
    stats::{Counter, Stats},
    storage::SchedulerStorage,
    turn::{Budget, Turned},
    worker::{Worker, WorkerStorage},
};

#[cfg(not(loom))]
pub(crate) use {orphan::FLAG_RETRY, remote::Target, stats::count};

#[cfg(all(feature = "trace", not(loom)))]
pub(crate) use stats::Gauge;
