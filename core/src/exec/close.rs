//! The close of a worker, in steps, so that one thread may close several in any order.
//!
//! ```text
//!  NotYet --> Stopping ------------> Draining ---------------> Waiting ------------> Closed
//!             no spawns here any     every task is aborted,    nothing is in         inboxes closed, what the
//!             more; all have         every operation           flight here, no       system still holds is
//!             stopped (SCHED-4)      cancelled                 task lives anywhere   detached
//! ```
//!
//! CLOSE-1: once all have stopped there is no new task; so "no task lives" stays true once it is, and then nothing
//! is pushed anywhere any more. CLOSE-2: a worker takes messages until all are drained, since the others'
//! slots, blocks and handles come back through it. CLOSE-3: at its deadline a worker goes on alone: what it
//! lets go then stays the system's, and its storage is not started again. CLOSE-4: a worker whose turn ended tasks looks
//! whether all is drained before it sleeps; the others, who saw those tasks alive, sleep until it acknowledges.
//! CLOSE-5: at the deadline a task that still lives is aborted, so it is in a queue, or on its way there in the hands
//! of a thread that has won its queue place. An inbox closes, and the last worker leaves, only when there is no such
//! task on its way any more, or after a time that no thread needs for a push; what is left then is counted, and its
//! worker is not started again. CLOSE-6: a task is aborted for a runtime only under its pool's lock, since otherwise
//! its block might be another runtime's by then.

use super::current::{Entered, Outside};
use super::stages::Ack;
use super::turn::Budget;
use super::worker::{CLOSING, DETACHED, IDLE, Worker};
use crate::atomics::Ordering;
use crate::op::{IN_FLIGHT, Slot};
use crate::sync::rest_while;
use crate::task::{self, TaskRef, state};
use core::ptr;

/// Starts of aborted bodies at the end of a close.
const CLOSE_POLLS: u32 = 1 << 24;
/// The same for what comes too late even for that.
const CLOSE_POLLS_LATE: u32 = 256;
/// So many looks, with rests in between, a close waits for threads that are about to push.
const STRAGGLER_LOOKS: u32 = 1 << 14;

/// How a close ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CloseReport {
    /// Tasks that were aborted.
    pub aborted: u32,
    /// Operations that the system still holds, and tasks that would not stop; their slots, buffers and blocks are
    /// never used again.
    pub detached: u32,
    /// Workers that were still inside a poll when the time was up. Their threads go on, and are nobody's.
    pub stuck: u32,
}

/// How far it is, and when it goes on alone.
#[derive(Debug)]
pub(super) enum Closing {
    NotYet,
    Stopping(u64),
    Draining(u64, CloseReport),
    Waiting(u64, CloseReport),
    Closed(CloseReport),
}

impl Closing {
    /// One step; a turn of the worker where there is nothing else to do, which may sleep if `sleep`.
    pub fn step(&mut self, worker: &'static Worker, timeout_ns: u64, sleep: bool) -> Option<CloseReport> {
        if let Self::Closed(report) = *self {
            return Some(report);
        }
        let _outside = Outside::new();
        let late = |deadline: u64| worker.event_loop().now() >= deadline;
        let budget = Budget { sleep, ..Budget::POLL };
        match *self {
            Self::NotYet => {
                let deadline = worker.event_loop().now().saturating_add(timeout_ns);
                worker.stop();
                worker.set_wake_at(deadline);
                *self = Self::Stopping(deadline);
            }
            Self::Stopping(deadline) => {
                if worker.scheduler().stages.has_stopped() || late(deadline) {
                    let aborted = worker.abort_all();
                    *self = Self::Draining(deadline, CloseReport { aborted, ..CloseReport::default() });
                } else {
                    worker.turn(budget);
                }
            }
            Self::Draining(deadline, report) => {
                if worker.is_drained() || late(deadline) {
                    worker.scheduler().acknowledge(Ack::Drained, worker.index.get() as usize);
                    *self = Self::Waiting(deadline, report);
                } else {
                    worker.turn(budget);
                }
            }
            Self::Waiting(deadline, report) => {
                if worker.scheduler().stages.all(Ack::Drained) || late(deadline) {
                    *self = Self::Closed(worker.let_everything_go(report));
                } else {
                    worker.turn(budget);
                }
            }
            Self::Closed(_) => {}
        }
        match *self {
            Self::Closed(report) => Some(report),
            _ => None,
        }
    }
}

impl Worker {
    /// Takes no spawns any more.
    fn stop(&'static self) {
        self.end_rest();
        self.life.store(CLOSING, Ordering::Relaxed);
        self.scheduler().request_close();
        self.open.set(None);
        {
            // One whose run was forgotten: later its wakes would find a closed inbox.
            let _entered = Entered::new(self);
            super::root::end(self, TaskRef(self.root.get()));
        }
        self.scheduler().acknowledge(Ack::Stopped, self.index.get() as usize);
    }

    /// Aborts what lives, and cancels what is in flight here. Answers how many tasks there were on this worker.
    fn abort_all(&'static self) -> u32 {
        let mut aborted = 0;
        let entered = Entered::new(self);
        // CLOSE-6.
        task::abort_where(|task| {
            let lives = self.has(task);
            let here = ptr::eq(task.header().home.load(Ordering::Relaxed), self);
            if lives && here && task.header().state.load() & state::ABORTED == 0 {
                aborted += 1;
            }
            lives
        });
        drop(entered);
        self.for_each_slot(|slot| self.orphan_with_waker(slot));
        aborted
    }

    /// CLOSE-1.
    fn is_drained(&'static self) -> bool {
        let mut live = false;
        if self.in_flight.get() == 0 && self.has_no_task() {
            self.for_each_live(|_| live = true);
        }
        self.in_flight.get() == 0 && !live && self.has_no_task() && self.inbox.is_empty()
    }

    fn let_everything_go(&'static self, mut report: CloseReport) -> CloseReport {
        self.set_wake_at(u64::MAX);
        report.detached += self.end_stragglers();
        for task in self.inbox.close() {
            self.push(TaskRef(task));
        }
        for slot in self.posts.close() {
            // SAFETY: SLOT-3.
            self.take_post(unsafe { &*slot });
        }
        {
            let _entered = Entered::new(self);
            self.dispatch();
            self.run_tasks(CLOSE_POLLS_LATE);
            self.dispatch();
        }
        self.for_each_slot(|slot| {
            report.detached += 1;
            let waker = slot.take_waker();
            slot.set_detached();
            // Handles elsewhere learn that it is closed.
            for waker in [waker, slot.alt_waker.take()].into_iter().flatten() {
                waker.wake();
            }
        });
        if self.searching.get() {
            self.end_search();
        }
        self.event_loop().close();
        self.event_loop.set(None);
        self.set_bell(None);
        // A body that still does not stop keeps the storage from being started again, perhaps elsewhere.
        let done = report.detached == 0 && self.has_no_task();
        self.goes_away();
        self.life.store(if done { IDLE } else { DETACHED }, Ordering::Release);
        self.scheduler().closed(self.index.get() as usize);
        report
    }

    /// CLOSE-5: drops the aborted bodies that the deadline left, on their own thread, and waits for those whose wake
    /// or spawn is on its way. Answers how many have not stopped.
    fn end_stragglers(&'static self) -> u32 {
        // Whoever is the last one has everybody's tasks that may move.
        let last = self.scheduler().stages.acknowledge(Ack::Leaving, self.index.get() as usize);
        let (mut looks, mut left) = (0, 0);
        let _entered = Entered::new(self);
        rest_while(|| {
            looks += 1;
            self.take_messages();
            self.dispatch();
            self.run_tasks(CLOSE_POLLS);
            let mut on_their_way = u32::from(self.scheduler().stages.is_spawning());
            left = 0;
            let mine = |task: TaskRef| match state::is_pinned(task.header().state.load()) {
                false => last,
                true => ptr::eq(task.header().home.load(Ordering::Relaxed), self),
            };
            let mut spawned_late = false;
            self.for_each_live(|task| {
                let word = task.header().state.load();
                if mine(task) {
                    left += 1;
                    on_their_way += u32::from(word & (state::QUEUED | state::RUNNING) != 0);
                    spawned_late |= word & state::ABORTED == 0;
                }
            });
            if spawned_late {
                task::abort_where(|task| self.has(task) && mine(task));
                on_their_way += 1;
            }
            // A body that does not stop is here already.
            on_their_way != 0 && self.has_no_task() && looks < STRAGGLER_LOOKS
        });
        left
    }

    /// Every task of this worker's scheduler that has not ended.
    fn for_each_live(&self, mut f: impl FnMut(TaskRef)) {
        task::for_each_task(|task, _| {
            if self.has(task) {
                f(task);
            }
        });
    }

    /// Whether a task lives, and is of this worker's scheduler.
    fn has(&self, task: TaskRef) -> bool {
        if task.header().state.load() & state::LIVE == 0 {
            return false;
        }
        // SAFETY: WORKER-1; a live task has a home.
        let home = unsafe { task.header().home.load(Ordering::Relaxed).as_ref() };
        home.is_some_and(|home| ptr::eq(home.scheduler(), self.scheduler()))
    }

    /// Every slot in flight on this worker.
    fn for_each_slot(&self, mut f: impl FnMut(&'static Slot)) {
        let mut look = |slot: &'static Slot| {
            if slot.observe().0 == IN_FLIGHT && ptr::eq(slot.worker.get(), self) {
                f(slot);
            }
        };
        task::for_each_task(|_, slots| slots.iter().for_each(&mut look));
        TaskRef(self.root.get()).slots().iter().for_each(&mut look);
        self.all_spares().for_each(&mut look);
        crate::file::for_each_slot(&mut look);
    }
}
