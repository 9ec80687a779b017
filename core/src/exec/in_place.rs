//! A poll that blocks its thread, and leaves the worker's queue to the others before it does.

use super::current::{self, Outside};

/// Runs `f`, which may block or compute for long, within the body of a task; what waits in this worker's queue goes to
/// the other workers first.
///
/// While `f` runs, this thread is outside of the runtime: what it wakes goes to the others, and it may do what a plain
/// thread may, spawn through a [`Remote`](super::Remote), block on a lock, turn another runtime. Tasks that may not
/// move, operations and timers of this worker, and what was submitted in the same turn, wait until `f` has returned.
/// So does everything where nobody shares: with one worker, and in [`Mode::PerCore`](super::Mode), this only runs `f`,
/// as it does on a thread that is inside of no runtime.
///
/// A pool of threads has none of these drawbacks; this is for what cannot leave its thread or may not be moved.
///
/// # Panics
/// With the panic of `f`; and where a worker is between two tasks, in a waker or within
/// [`Executor::enter`](super::Executor::enter): there no task would be told apart from the runtime's own work.
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    let Some(worker) = current::get() else { return f() };
    assert!(
        worker.task().is_some(),
        "unboxed: block_in_place is for the body of a task, and here none is polled: call the function itself, or \
         give it to a pool of threads"
    );
    worker.hold_none();
    worker.hand_over();
    let _outside = Outside::new();
    f()
}
