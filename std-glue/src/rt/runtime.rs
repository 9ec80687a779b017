//! Storage and handle of a runtime.

use super::{Config, TableGuard};
use crate::ring::{RingLoop, SetupError};
use std::cell::UnsafeCell;
use std::fmt;
use std::future::Future;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use unboxed_core::exec::{Budget, CloseReport, Executor, RootStep, Rooted, Stats, Turned, WorkerStorage};
use unboxed_core::file::{FileTable, TableControl};
use unboxed_core::storage::ScopeDriver;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The memory of one runtime, for a `static`: `FILES` open descriptors, `ROOT_OPS` op slots of the root task,
/// `SPARES` slots for tasks that have used up their own.
#[derive(Debug)]
pub struct RuntimeCell<const FILES: usize = 1024, const ROOT_OPS: usize = 16, const SPARES: usize = 64> {
    worker: WorkerStorage<ROOT_OPS, SPARES>,
    files: FileTable<FILES>,
    ring: RingPlace,
    taken: AtomicBool,
}

struct RingPlace(UnsafeCell<MaybeUninit<RingLoop>>);

impl fmt::Debug for RingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RingPlace")
    }
}

// SAFETY: RT-1 and RT-2.
unsafe impl Sync for RingPlace {}

/// Why a runtime did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The kernel refused a ring.
    Ring(SetupError),
    /// The storage is in use, or was closed while the kernel still held some of it.
    InUse,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(error) => error.fmt(f),
            Self::InUse => unboxed_core::exec::StartError.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

fn close_fd(fd: i32) {
    // SAFETY: R4: the table gives a descriptor that nobody else closes.
    unsafe { libc::close(fd) };
}

impl<const FILES: usize, const ROOT_OPS: usize, const SPARES: usize> RuntimeCell<FILES, ROOT_OPS, SPARES> {
    /// Storage that is not started.
    pub const fn new() -> Self {
        Self {
            worker: WorkerStorage::new(),
            files: FileTable::new(),
            ring: RingPlace(UnsafeCell::new(MaybeUninit::uninit())),
            taken: AtomicBool::new(false),
        }
    }

    /// Starts the runtime on this thread, to which its handle is bound.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(&'static self, config: Config) -> Result<Runtime, StartError> {
        if self.taken.swap(true, Ordering::Acquire) {
            return Err(StartError::InUse);
        }
        let started = self.start_taken(config);
        if started.is_err() {
            self.taken.store(false, Ordering::Release);
        }
        started
    }

    fn start_taken(&'static self, config: Config) -> Result<Runtime, StartError> {
        let ring = RingLoop::open(config.ring).map_err(StartError::Ring)?;
        // SAFETY: RT-1: `taken` makes the place ours, and nothing lies in it.
        let ring: &'static RingLoop = unsafe { (*self.ring.0.get()).write(ring) };
        let executor = Executor::start(&self.worker, ring, config.spares_per_task);
        let Ok(executor) = executor else {
            // SAFETY: RT-1: the worker did not take the loop, and nothing was submitted.
            unsafe { self.ring.0.get().cast::<RingLoop>().drop_in_place() };
            return Err(StartError::InUse);
        };
        self.files.on_close(close_fd);
        Ok(Runtime {
            executor: ManuallyDrop::new(executor),
            table: self.files.control(),
            ring: self.ring.0.get().cast(),
            taken: &self.taken,
            closed: false,
        })
    }
}

impl<const FILES: usize, const ROOT_OPS: usize, const SPARES: usize> Default
    for RuntimeCell<FILES, ROOT_OPS, SPARES>
{
    fn default() -> Self {
        Self::new()
    }
}

/// A started runtime, bound to its thread. Dropping it closes it within a second.
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// sent::<unboxed::rt::Runtime>();
/// ```
#[derive(Debug)]
pub struct Runtime {
    executor: ManuallyDrop<Executor>,
    table: &'static TableControl,
    ring: *mut RingLoop,
    taken: &'static AtomicBool,
    closed: bool,
}

impl Runtime {
    /// Runs a future to its end, and the spawned tasks meanwhile. A spawned task's panic ends that task; the
    /// root future's goes on here.
    ///
    /// # Panics
    /// When this thread is inside a runtime already, and with the root future's panic.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let _table = TableGuard::enter(self.table);
        let mut rooted = pin!(Rooted::new(future));
        let mut run = self.executor.root(rooted.as_mut());
        loop {
            match catch_unwind(AssertUnwindSafe(|| run.turn(Budget::SLEEP))) {
                Ok(RootStep::Done) => break,
                Ok(RootStep::Pending(_)) => {}
                Ok(RootStep::Panicked) => unreachable!("a panic leaves through the turn it came in"),
                Err(panic) if run.panicked() => {
                    drop(run);
                    resume_unwind(panic);
                }
                // A spawned task's; the panic hook has told it, and its JoinHandle will.
                Err(panic) => drop(panic),
            }
        }
        drop(run);
        rooted.take_output().expect("unboxed: the root future ended without an output")
    }

    /// Polls tasks and drives the ring once, within `budget`: for a loop of one's own.
    ///
    /// # Panics
    /// With the panic of a task's body; the task ends, and the next turn goes on.
    pub fn turn(&mut self, budget: Budget) -> Turned {
        let _table = TableGuard::enter(self.table);
        self.executor.turn(budget)
    }

    /// Runs `f` inside the runtime, so that it may spawn.
    pub fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _table = TableGuard::enter(self.table);
        self.executor.enter(f)
    }

    /// Operations in flight.
    pub fn in_flight(&self) -> u32 {
        self.executor.in_flight()
    }

    /// The worker's counters.
    pub fn stats(&self) -> &Stats {
        self.executor.stats()
    }

    /// The runtime's file table.
    pub fn files(&self) -> &'static TableControl {
        self.table
    }

    /// Aborts every task, cancels every operation, and waits for them until `timeout` has passed. What the
    /// kernel still holds then is never used again, nor is the runtime's storage.
    pub fn close(mut self, timeout: Duration) -> CloseReport {
        self.close_in_place(timeout)
    }

    /// Once; what comes later does nothing.
    fn close_in_place(&mut self, timeout: Duration) -> CloseReport {
        if std::mem::replace(&mut self.closed, true) {
            return CloseReport::default();
        }
        let _table = TableGuard::enter(self.table);
        // SAFETY: once, by `closed`. When a body's drop panics below, the executor's own drop goes on closing.
        let executor = unsafe { ManuallyDrop::take(&mut self.executor) };
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        let report = executor.close(timeout_ns);
        if report.detached == 0 {
            // SAFETY: RT-1: the worker has let the loop go, and the kernel holds nothing.
            unsafe { self.ring.drop_in_place() };
            self.taken.store(false, Ordering::Release);
        }
        report
    }
}

impl ScopeDriver for Runtime {
    fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        Self::enter(self, f)
    }

    /// A task's panic ends that task, and its body tells.
    fn turn(&mut self) {
        let _ = catch_unwind(AssertUnwindSafe(|| Self::turn(self, Budget::SLEEP)));
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.close_in_place(CLOSE_TIMEOUT);
    }
}
