//! The handle that runs a worker on the thread that started it.

use super::root::{RootRun, RootStep, Rooted};
use super::turn::{Budget, Turned};
use super::worker::{CLOSING, IDLE, STARTED, Worker, WorkerStorage};
use crate::atomics::Ordering;
use crate::event_loop::EventLoop;
use crate::op::{IN_FLIGHT, Slot};
use crate::task::{self, TaskRef};
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;

/// Runs one worker. It stays on its thread: it is neither `Send` nor `Sync`.
///
/// Dropping it closes the worker as [`close`](Self::close) does, with a deadline of one second.
#[derive(Debug)]
pub struct Executor {
    worker: &'static Worker,
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

/// How a close ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CloseReport {
    /// Tasks that were aborted.
    pub aborted: u32,
    /// Operations that the system still holds; their slots, buffers and blocks are never used again.
    pub detached: u32,
}

const CLOSE_TIMEOUT_NS: u64 = 1_000_000_000;
/// Starts of aborted bodies at the end of a close.
const CLOSE_POLLS: u32 = 1 << 24;

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
        worker.wheel.start(event_loop.now());
        worker.inbox.open();
        worker.posts.open();
        worker.open.set(Some(event_loop));
        worker.life.store(STARTED, Ordering::Release);
        Ok(Self { worker, not_send: PhantomData })
    }

    /// The counters.
    pub fn stats(&self) -> &super::stats::Stats {
        &self.worker.stats
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
        self.worker.turn(budget)
    }

    /// Runs `f` with this worker as the thread's own, so that it may spawn.
    ///
    /// # Panics
    /// When this thread is inside a runtime already.
    pub fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _entered = super::current::Entered::new(self.worker);
        f()
    }

    /// Makes a pinned future the root task, to be driven by [`RootRun::turn`].
    pub fn root<'f, F: Future>(&'f mut self, future: Pin<&'f mut Rooted<F>>) -> RootRun<'f> {
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

    /// Stops: takes no more spawns, aborts every task, cancels every operation, and drains until
    /// `timeout_ns` has passed. What the system still holds then stays detached for ever.
    pub fn close(self, timeout_ns: u64) -> CloseReport {
        let report = self.close_in_place(timeout_ns);
        core::mem::forget(self);
        report
    }

    fn close_in_place(&self, timeout_ns: u64) -> CloseReport {
        let _outside = super::current::Outside::new();
        let worker = self.worker;
        let mut report = CloseReport::default();
        worker.life.store(CLOSING, Ordering::Relaxed);
        worker.open.set(None);
        {
            // One whose run was forgotten: later its wakes would find a closed inbox.
            let _entered = super::current::Entered::new(worker);
            super::root::end(worker, TaskRef(worker.root.get()));
        }
        for_each_task(worker, |task| {
            report.aborted += 1;
            let _entered = super::current::Entered::new(worker);
            task.abort();
        });
        for_each_slot(worker, |slot| {
            worker.orphan_with_waker(slot);
        });
        let event_loop = worker.event_loop();
        let deadline = event_loop.now().saturating_add(timeout_ns);
        worker.set_wake_at(deadline);
        while worker.in_flight.get() != 0 || !worker.queue.is_empty() || !worker.inbox.is_empty() {
            worker.turn(Budget { polls: 256, sleep: true });
            if event_loop.now() >= deadline {
                break;
            }
        }
        worker.set_wake_at(u64::MAX);
        self.detach(&mut report);
        report
    }

    fn detach(&self, report: &mut CloseReport) {
        let worker = self.worker;
        for task in worker.inbox.close() {
            // Aborted, and stopped below.
            worker.queue.push(TaskRef(task));
        }
        for slot in worker.posts.close() {
            // SAFETY: SLOT-3.
            worker.take_post(unsafe { &*slot });
        }
        {
            let _entered = super::current::Entered::new(worker);
            worker.dispatch();
            // Aborted bodies that the deadline left are dropped now, on their own thread: nothing waits for the
            // system any more.
            worker.run_tasks(CLOSE_POLLS);
            worker.dispatch();
        }
        for_each_slot(worker, |slot| {
            report.detached += 1;
            let waker = slot.take_waker();
            slot.set_detached();
            // Handles elsewhere learn that it is closed.
            for waker in [waker, slot.alt_waker.take()].into_iter().flatten() {
                waker.wake();
            }
        });
        worker.event_loop().close();
        worker.event_loop.set(None);
        worker.set_bell(None);
        // A body that still does not stop keeps the storage from being started again, perhaps elsewhere.
        if report.detached == 0 && worker.queue.is_empty() {
            worker.life.store(IDLE, Ordering::Release);
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.close_in_place(CLOSE_TIMEOUT_NS);
    }
}

fn for_each_task(worker: &'static Worker, mut f: impl FnMut(TaskRef)) {
    task::for_each_task(|task, _| {
        if task.header().home.load(Ordering::Relaxed).cast_const() == core::ptr::from_ref(worker)
            && task.header().state.load() & task::state::LIVE != 0
        {
            f(task);
        }
    });
}

/// Every slot in flight on this worker.
fn for_each_slot(worker: &'static Worker, mut f: impl FnMut(&'static Slot)) {
    let mut look = |slot: &'static Slot| {
        if slot.observe().0 == IN_FLIGHT && core::ptr::eq(slot.worker.get(), worker) {
            f(slot);
        }
    };
    task::for_each_task(|_, slots| slots.iter().for_each(&mut look));
    TaskRef(worker.root.get()).slots().iter().for_each(&mut look);
    worker.spares().iter().for_each(&mut look);
    crate::file::for_each_slot(&mut look);
}
