//! Threads that may block: a pool of a fixed number, and a fixed number of places for their jobs.
//!
//! A job's closure and what comes of it lie in a place of the pool's static, never in a future and never on the heap;
//! the rules of a place are those of [`unboxed_core::blocking`]. What std takes from the heap is taken when the
//! threads start, and when a job panics.
//!
//! CREW-1: `epoch` grows before sleepers are woken, and a thread reads it before it looks at the queue, so a call
//! that comes after the look ends the sleep. CREW-2: the threads of one start are counted, and the pool starts again
//! only after all of them have ended; they use the static alone, so one that is stuck when a close gives up may go on
//! for ever. CREW-3: a start and a close each begin in one hold of the counts' lock, and nothing starts while a close is
//! under way, so a first job that comes at the same time is closed, or rejected, and opens nothing. Threads take no signals (THREADS-2).
//!
//! What computes has a pool of its own kind: [`CpuPool`], whose threads are nice, keep off the processor of a kernel
//! thread that takes submissions (SQPOLL), and tell a job when its slice of time is over.

mod cpu;
mod crew;
mod pool;

pub use cpu::{CpuPool, Slice};
pub use crew::Panic;
pub use pool::{BlockingPool, PoolReport, StartPoolError};
pub use unboxed_core::blocking::{IfRunning, PoolClosed, Rejected, Why};

/// Runs `f`, which may block or compute for long, on this thread, within the body of a task; what waits in this
/// worker's queue goes to the other workers first.
///
/// ```
/// use unboxed::blocking::block_in_place;
///
/// #[unboxed::task(pool = 4)]
/// async fn total(numbers: &'static [u64]) -> u64 {
///     // Other workers poll the other tasks meanwhile.
///     block_in_place(|| numbers.iter().sum())
/// }
/// # static CELL: unboxed::rt::RuntimeCell<4, 2> = unboxed::rt::RuntimeCell::new();
/// # let Ok(mut runtime) = CELL.start(unboxed::rt::Config::new().workers(2)) else { return };
/// # let sum = runtime.block_on(async { total::spawn(&[1, 2, 3]).unwrap().await });
/// # assert_eq!(sum, Ok(6));
/// ```
///
/// While `f` runs this thread is outside of the runtime: it may block on a lock or a channel
/// ([`Blocking`](crate::sync::Blocking)), spawn through a [`Remote`](crate::rt::Remote), and run another runtime.
/// Operations and timers of this worker wait, and so do tasks that may not move, and what was submitted in the same
/// turn. With one worker, and in [`Mode::PerCore`](crate::rt::Mode), all tasks wait: give the work to a pool.
/// Outside of a runtime this only runs `f`.
///
/// # Panics
/// With the panic of `f`; and in a waker or within [`Runtime::enter`](crate::rt::Runtime::enter), where no task is
/// polled.
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    crate::rt::block_in_place(f)
}

/// Waits for a job; see [`unboxed_core::blocking::Job`].
pub type Job<T> = unboxed_core::blocking::Job<T, crew::Threads>;
/// A place before its job.
pub type Reserved<const BYTES: usize> = unboxed_core::blocking::Reserved<crew::Threads, BYTES>;
/// Waits for a place.
pub type Reserve<const PLACES: usize, const BYTES: usize> =
    unboxed_core::blocking::Reserve<crew::Threads, PLACES, BYTES>;
/// Why a job gave no output.
pub type JobError = unboxed_core::blocking::JobError<Panic>;
