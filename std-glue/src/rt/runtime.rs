//! The handle of a runtime, on the thread of its first worker.

use super::TableGuard;
use super::cell::{Bound, CLOSE_TIMEOUT, JOIN_SLACK};
use super::seat::{Seat, nanos};
use super::threads::{Crew, Threads, leaves_nothing};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use unboxed_core::exec::{Budget, CloseReport, Remote, RootStep, Rooted, Stats, Turned};
use unboxed_core::file::TableControl;
use unboxed_core::storage::ScopeDriver;

/// A started runtime, bound to its thread. Dropping it closes it within a second.
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// sent::<unboxed::rt::Runtime>();
/// ```
#[derive(Debug)]
pub struct Runtime {
    pub(super) seat: Seat,
    table: &'static TableControl,
    threads: Threads,
    /// Dropped after the close.
    _bound: Bound,
    crew: &'static Crew,
    taken: &'static AtomicBool,
}

impl Runtime {
    pub(super) fn new(
        seat: Seat,
        table: &'static TableControl,
        threads: Threads,
        bound: Bound,
        crew: &'static Crew,
        taken: &'static AtomicBool,
    ) -> Self {
        Self { seat, table, threads, _bound: bound, crew, taken }
    }

    /// Runs a future to its end, and the spawned tasks meanwhile. A spawned task's panic ends that task; the
    /// root future's goes on here.
    ///
    /// This thread is worker 0: after the return, and until the next call, what that worker has in flight waits,
    /// timers too, with the tasks that wait for it. Ready tasks that may move go to the other workers.
    ///
    /// # Panics
    /// When this thread is inside a runtime already, and with the root future's panic.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let _table = TableGuard::enter(self.table);
        let mut rooted = pin!(Rooted::new(future));
        let mut run = self.seat.executor.root(rooted.as_mut());
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

    /// Polls tasks and drives the ring once, within `budget`: for a loop of one's own, which sleeps as
    /// [`Pollable`](super::Pollable) says.
    ///
    /// # Panics
    /// With the panic of a task's body; the task ends, and the next turn goes on.
    pub fn turn(&mut self, budget: Budget) -> Turned {
        let _table = TableGuard::enter(self.table);
        self.seat.executor.turn(budget)
    }

    /// Runs `f` inside the runtime, so that it may spawn.
    pub fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _table = TableGuard::enter(self.table);
        self.seat.executor.enter(f)
    }

    /// Operations in flight on worker 0.
    pub fn in_flight(&self) -> u32 {
        self.seat.executor.in_flight()
    }

    /// The counters of worker 0; those of the others are the [`remote`](Self::remote)'s.
    pub fn stats(&self) -> &Stats {
        self.seat.executor.stats()
    }

    /// The runtime's file table.
    pub fn files(&self) -> &'static TableControl {
        self.table
    }

    /// For spawning from other threads.
    pub fn remote(&self) -> Remote {
        self.seat.executor.remote()
    }

    /// Aborts every task, cancels every operation, and waits for them until `timeout` has passed, on every
    /// worker. What the kernel still holds then is never used again, nor is the runtime's storage.
    pub fn close(mut self, timeout: Duration) -> CloseReport {
        self.close_in_place(timeout)
    }

    /// Once; what comes later does nothing.
    fn close_in_place(&mut self, timeout: Duration) -> CloseReport {
        let _table = TableGuard::enter(self.table);
        self.crew.set_timeout(nanos(timeout));
        let Some(mut report) = self.seat.close(timeout) else { return CloseReport::default() };
        // None of them has an error to end with: they have all started.
        let (others, _) = self.threads.join(self.crew, timeout.saturating_add(JOIN_SLACK));
        report.aborted += others.aborted;
        report.detached += others.detached;
        report.stuck += others.stuck;
        if leaves_nothing(&report) {
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
