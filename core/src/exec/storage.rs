//! The memory of several workers that share work.

use super::executor::{Executor, StartError};
use super::idle::Idle;
use super::remote::Remote;
use super::scheduler::{Mode, Scheduler, WORKERS_MAX};
use super::worker::{ABSENT, IDLE, WorkerStorage};
use crate::atomics::Ordering;
use crate::event_loop::EventLoop;
use crate::memory::{MapNode, Mapped, Row};
use crate::op::Slot;

/// The memory of up to `WORKERS` workers; see [`WorkerStorage`] for the other numbers.
///
/// Zero until started, so a static of this type lies in `.bss`.
#[derive(Debug)]
pub struct SchedulerStorage<const WORKERS: usize, const ROOT_OPS: usize = 16, const SPARES: usize = 64> {
    scheduler: Scheduler,
    workers: [WorkerStorage<ROOT_OPS, SPARES>; WORKERS],
    node: MapNode,
}

impl<const WORKERS: usize, const ROOT_OPS: usize, const SPARES: usize>
    SchedulerStorage<WORKERS, ROOT_OPS, SPARES>
{
    /// Storage for that many workers.
    pub const fn new() -> Self {
        const { assert!(0 < WORKERS && WORKERS <= WORKERS_MAX, "a scheduler has 1 to 32 workers") };
        Self {
            scheduler: Scheduler::new(),
            workers: [const { WorkerStorage::new() }; WORKERS],
            node: MapNode::new(),
        }
    }

    /// Opens the scheduler for `workers` workers, each of which then [`start`](Self::start)s on its thread.
    /// `idle` says what each does when there is nothing to do.
    ///
    /// # Errors
    /// [`StartError`] when it is in use.
    ///
    /// # Panics
    /// When `workers` is zero or more than `WORKERS`.
    pub fn open(&'static self, workers: usize, mode: Mode, idle: Idle) -> Result<Remote, StartError> {
        assert!(
            workers <= WORKERS,
            "unboxed: this storage has room for {WORKERS} workers, not for {workers}"
        );
        self.node.show(self);
        let may_start = || {
            for WorkerStorage { worker, .. } in &self.workers {
                let absent = worker.life.compare_exchange(ABSENT, IDLE, Ordering::AcqRel, Ordering::Relaxed);
                let _was_absent = absent.is_ok();
            }
        };
        if self.scheduler.open(workers, mode, idle, may_start) {
            Ok(Remote::new(&self.scheduler))
        } else {
            Err(StartError)
        }
    }

    /// Starts one of the workers on this thread, over `event_loop`. One thread may start several, and turn
    /// them as it likes.
    ///
    /// # Errors
    /// [`StartError`] when that worker or the loop is in use, or the scheduler is not open.
    ///
    /// # Panics
    /// When there is no such worker.
    pub fn start(
        &'static self,
        index: usize,
        event_loop: &'static dyn EventLoop,
        spares_per_task: u32,
    ) -> Result<Executor, StartError> {
        assert!(index < self.scheduler.count(), "unboxed: there is no worker {index}");
        if self.scheduler.is_closing() {
            return Err(StartError);
        }
        Executor::start_in(&self.scheduler, index, &self.workers[index], event_loop, spares_per_task)
    }

    /// Says that a worker will not start before the storage is opened again, so that the close of the others does not
    /// wait for it. Does nothing for one that has started.
    ///
    /// # Panics
    /// When there is no such worker.
    pub fn absent(&'static self, index: usize) {
        assert!(index < self.scheduler.count(), "unboxed: there is no worker {index}");
        self.scheduler.absent(index, &self.workers[index].worker.life);
    }

    /// For other threads.
    pub fn remote(&'static self) -> Remote {
        Remote::new(&self.scheduler)
    }
}

impl<const WORKERS: usize, const ROOT_OPS: usize, const SPARES: usize> Default
    for SchedulerStorage<WORKERS, ROOT_OPS, SPARES>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORKERS: usize, const ROOT_OPS: usize, const SPARES: usize> Mapped
    for SchedulerStorage<WORKERS, ROOT_OPS, SPARES>
{
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let address = core::ptr::from_ref(self).addr();
        tell_workers(&self.workers, address, size_of::<Self>() - size_of_val(&self.workers), tell);
    }
}

impl<const ROOT_OPS: usize, const SPARES: usize> Mapped for WorkerStorage<ROOT_OPS, SPARES> {
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let address = core::ptr::from_ref(self).addr();
        tell_workers(core::slice::from_ref(self), address, 0, tell);
    }
}

/// Workers with their root tasks' blocks, and, as another row, their spares.
fn tell_workers<const ROOT_OPS: usize, const SPARES: usize>(
    workers: &[WorkerStorage<ROOT_OPS, SPARES>],
    address: usize,
    beside: usize,
    tell: &mut dyn FnMut(Row),
) {
    let spare_bytes = size_of::<Slot>();
    let started =
        workers.iter().filter(|w| !matches!(w.worker.life.load(Ordering::Relaxed), IDLE | ABSENT)).count();
    let ever = workers.iter().filter(|w| w.worker.was_started()).count();
    tell(Row {
        kind: "workers",
        name: "",
        address,
        pieces: workers.len(),
        piece_bytes: size_of::<WorkerStorage<ROOT_OPS, SPARES>>() - SPARES * spare_bytes,
        beside,
        used: started,
        used_max: ever,
    });
    tell(Row {
        kind: "spares",
        name: "",
        address: workers.first().map_or(address, |first| first.spares.as_ptr().addr()),
        pieces: workers.len() * SPARES,
        piece_bytes: spare_bytes,
        beside: 0,
        used: workers.iter().map(|w| w.worker.spares_used() as usize).sum(),
        used_max: workers.iter().map(|w| w.worker.spares_max() as usize).sum(),
    });
}
