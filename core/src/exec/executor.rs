//! The handle that runs a worker on the thread that started it.

use super::close::{CloseReport, Closing};
use super::idle::Idle;
use super::remote::Remote;
use super::root::{RootRun, RootStep, Rooted};
use super::scheduler::{Mode, Scheduler};
use super::turn::{Budget, Turned};
use super::worker::{CLOSING, IDLE, STARTED, Worker, WorkerStorage};
use crate::atomics::Ordering;
use crate::event_loop::{EventLoop, Wait};
use crate::sync::plain;
use crate::task::{TaskRef, waker_of};
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;

/// Runs one worker. It stays on its thread: it is neither `Send` nor `Sync`.
///
/// Dropping it closes the worker as [`close`](Self::close) does, with a deadline of one second.
#[derive(Debug)]
pub struct Executor {
    worker: &'static Worker,
    closing: Closing,
    not_send: PhantomData<*mut ()>,
}

/// The worker cannot be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartError;

impl core::fmt::Display for StartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(
            "this worker's storage or its loop is in use, or was closed while operations were in flight: \
             give each runtime a storage of its own",
        )
    }
}

impl core::error::Error for StartError {}

const CLOSE_TIMEOUT_NS: u64 = 1_000_000_000;

impl Executor {
    /// Starts the worker of `storage` on this thread, over `event_loop`. A task that has used up its own
    /// slots may take up to `spares_per_task` of the worker's spares.
    ///
    /// # Errors
    /// [`StartError`] when the storage or the loop is in use.
    pub fn start<const K: usize, const S: usize>(
        storage: &'static WorkerStorage<K, S>,
        event_loop: &'static dyn EventLoop,
        spares_per_task: u32,
    ) -> Result<Self, StartError> {
        storage.node.show(storage);
        if !storage.alone.open(1, Mode::PerCore, Idle::Sleep, || {}) {
            return Err(StartError);
        }
        let started = Self::start_in(&storage.alone, 0, storage, event_loop, spares_per_task);
        if started.is_err() {
            storage.alone.stages.off();
        }
        started
    }

    /// Starts one worker of a scheduler that is open.
    pub(super) fn start_in<const K: usize, const S: usize>(
        scheduler: &'static Scheduler,
        index: usize,
        storage: &'static WorkerStorage<K, S>,
        event_loop: &'static dyn EventLoop,
        spares_per_task: u32,
    ) -> Result<Self, StartError> {
        let worker = &storage.worker;
        worker
            .life
            .compare_exchange(IDLE, CLOSING, Ordering::AcqRel, Ordering::Acquire)
            .map_err(|_| StartError)?;
        if !event_loop.attach() {
            worker.life.store(IDLE, Ordering::Release);
            return Err(StartError);
        }
        worker.event_loop.set(Some(event_loop));
        worker.set_bell(Some(event_loop.doorbell()));
        worker.set_spares(&storage.spares);
        worker.spares_per_task.set(spares_per_task);
        worker.root.set(storage.root.header());
        // SAFETY: PLAIN-1: a task's waker copies itself, and its drop does nothing (TASK-1).
        unsafe { plain::are_plain(waker_of(TaskRef(storage.root.header())).vtable()) };
        worker.wheel.start(event_loop.now());
        worker.inbox.open();
        worker.posts.open();
        worker.open.set(Some(event_loop));
        worker.life.store(STARTED, Ordering::Release);
        worker.join(scheduler, index);
        Ok(Self { worker, closing: Closing::NotYet, not_send: PhantomData })
    }

    /// The counters.
    pub fn stats(&self) -> &super::stats::Stats {
        &self.worker.stats
    }

    /// How long a task that asks by [`yield_if_due`](crate::task::yield_if_due) may run before it is to yield, in
    /// nanoseconds of the loop's clock; 100 us if nobody says.
    pub fn set_slice(&mut self, slice_ns: u64) {
        self.worker().lanes.set_slice_ns(slice_ns);
    }

    /// The worker, while it is this executor's: once the close has given its report, the storage may be another's.
    #[inline]
    fn worker(&self) -> &'static Worker {
        assert!(
            !matches!(self.closing, Closing::Closed(_)),
            "unboxed: this executor has closed its worker: start another one"
        );
        self.worker
    }

    /// Operations in flight.
    pub fn in_flight(&self) -> u32 {
        self.worker.in_flight.get()
    }

    /// Polls tasks and drives the loop once, within `budget`.
    ///
    /// # Panics
    /// When this thread is inside a turn already, and with the panic of a task's body: the task ends with
    /// [`JoinError::Panicked`](crate::task::JoinError), the worker stays in order, and the next turn goes on.
    pub fn turn(&mut self, budget: Budget) -> Turned {
        self.worker().turn(budget)
    }

    /// Before the thread sleeps outside, in a loop of its own: starts what is queued, and announces the sleep.
    ///
    /// [`Wait::No`]: there is something to do, turn again. Otherwise the thread may sleep until the loop's file
    /// is readable, and no longer than until that moment of the loop's clock; a completion, a wake and a spawn
    /// from another thread, and [`enter`](Self::enter) make the file readable from now on. The next turn ends
    /// the sleep. Who sleeps without asking, or in spite of the answer, loses nothing, but may sleep over what
    /// is there. Asking without sleeping costs a call to the system.
    ///
    /// With several workers, the thread first looks for work elsewhere, once: how long to spin is the other loop's
    /// affair, and not the [`Idle`](super::Idle) policy's.
    ///
    /// # Panics
    /// When this thread is inside a turn already.
    pub fn prepare_to_sleep(&mut self) -> Wait {
        self.worker().prepare_to_sleep()
    }

    /// When something is to be done that no completion brings, in nanoseconds of the loop's clock: a timer, or
    /// work on the wheel that comes before it.
    pub fn next_deadline(&self) -> Option<u64> {
        self.worker().wheel.next_deadline()
    }

    /// Runs `f` with this worker as the thread's own, so that it may spawn.
    ///
    /// # Panics
    /// When this thread is inside a runtime already.
    pub fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        /// The next turn may be far away, after a panic too.
        struct HandsOver {
            worker: &'static Worker,
            was_away: bool,
        }
        impl Drop for HandsOver {
            fn drop(&mut self) {
                self.worker.hand_over();
                if self.was_away {
                    self.worker.goes_away();
                }
            }
        }
        let worker = self.worker();
        let was_away = !worker.is_at_work();
        let _entered = super::current::Entered::new(worker);
        worker.disturb_rest();
        let _hands_over = HandsOver { worker, was_away };
        f()
    }

    /// Makes a pinned future the root task, to be driven by [`RootRun::turn`].
    ///
    /// # Panics
    /// When this thread is inside a turn already, and once a close has begun.
    pub fn root<'f, F: Future>(&'f mut self, future: Pin<&'f mut Rooted<F>>) -> RootRun<'f> {
        // The close ends the root task first, so that no wake of it finds a closed inbox.
        let begun = !matches!(self.closing, Closing::NotYet);
        assert!(!begun, "unboxed: this executor closes: it takes no root task any more");
        RootRun::begin(self.worker, future)
    }

    /// Runs a future to its end, and the spawned tasks meanwhile.
    ///
    /// # Panics
    /// With the panic of any task, since the core cannot catch one; the `unboxed` crate's runtime lets only
    /// the root's through.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let mut rooted = core::pin::pin!(Rooted::new(future));
        let mut run = self.root(rooted.as_mut());
        while run.turn(Budget::SLEEP) != RootStep::Done {}
        drop(run);
        rooted.take_output().expect("unboxed: the root future ended without an output")
    }

    /// A handle for spawning from other threads.
    pub fn remote(&self) -> Remote {
        Remote::new(self.worker.scheduler())
    }

    /// Whether a close was asked for, here or by another worker of the same runtime.
    pub fn is_closing(&self) -> bool {
        self.worker.scheduler().is_closing()
    }

    /// Stops: takes no more spawns, aborts every task, cancels every operation, and drains until
    /// `timeout_ns` has passed. What the system still holds then stays detached for ever. Where several
    /// workers share a runtime, all of them close; each waits for the others within its time.
    pub fn close(mut self, timeout_ns: u64) -> CloseReport {
        let report = self.close_in_place(timeout_ns);
        core::mem::forget(self);
        report
    }

    /// One step of [`close`](Self::close), for a thread that turns several workers: call it until it gives the
    /// report, and no other method meanwhile. The time runs from the first call. After the report the worker's storage
    /// may be started again, by any thread, and what would touch it through this executor panics.
    pub fn close_step(&mut self, timeout_ns: u64) -> Option<CloseReport> {
        self.closing.step(self.worker, timeout_ns, false)
    }

    fn close_in_place(&mut self, timeout_ns: u64) -> CloseReport {
        loop {
            if let Some(report) = self.closing.step(self.worker, timeout_ns, true) {
                return report;
            }
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.close_in_place(CLOSE_TIMEOUT_NS);
    }
}
