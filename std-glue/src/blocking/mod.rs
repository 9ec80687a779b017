//! Threads that may block: a pool of a fixed number, and a fixed number of places for their jobs.
//!
//! A job's closure and what comes of it lie in a place of the pool's static, never in a future and never on the heap;
//! the rules of a place are those of [`unboxed_core::blocking`]. What std takes from the heap is taken when the
//! threads start, and when a job panics.
//!
//! CREW-1: `epoch` grows before sleepers are woken, and a thread reads it before it looks at the queue, so a call
//! that comes after the look ends the sleep. CREW-2: the threads of one start are counted, and the pool starts again
//! only after all of them have ended; they use the static alone, so one that is stuck when a close gives up may go on
//! for ever. Threads take no signals (THREADS-2).
//!
//! One type serves for waiting and for computing: give each its own pool, with as many threads as the disk and the
//! resolver bear, or as there are processors.

mod crew;
mod pool;

pub use crew::Panic;
pub use pool::{BlockingPool, PoolReport, StartPoolError};
pub use unboxed_core::blocking::{IfRunning, PoolClosed, Rejected, Why};

/// Waits for a job; see [`unboxed_core::blocking::Job`].
pub type Job<T> = unboxed_core::blocking::Job<T, crew::Threads>;
/// A place before its job.
pub type Reserved<const BYTES: usize> = unboxed_core::blocking::Reserved<crew::Threads, BYTES>;
/// Waits for a place.
pub type Reserve<const PLACES: usize, const BYTES: usize> =
    unboxed_core::blocking::Reserve<crew::Threads, PLACES, BYTES>;
/// Why a job gave no output.
pub type JobError = unboxed_core::blocking::JobError<Panic>;
