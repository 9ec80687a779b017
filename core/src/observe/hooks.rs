//! What the hot path tells an observer. Each hook is one line there; `no_hooks.rs`, in this file's place without the
//! feature `trace`, has the same ones, which do nothing.
//!
//! On the worker's thread, unless a hook says otherwise. Only the observation's clock is foreign here (CLOCK-1).

use super::observation::SlowPoll;
use super::record::{self, Kind, Record};
use crate::atomics::Count;
use crate::event_loop::{Descriptor, OpToken};
use crate::exec::{Worker, count, current};
use crate::op::Slot;
use crate::task::{TaskRef, TaskVtable};

/// When a poll began; zero where it is not observed.
pub(crate) type PollBegan = u64;
/// When a sleep began; zero likewise.
pub(crate) type SleepBegan = u64;

/// `queued_at` of a task is the time in steps of 16 ns, so that it comes round in a minute; zero is none.
const STAMP_SHIFT: u32 = 4;

#[inline]
fn stamp(now: u64) -> u32 {
    (now >> STAMP_SHIFT) as u32 | 1
}

/// How long ago a stamp was; less than nothing is nothing.
#[inline]
fn since(stamp_then: u32, now: u64) -> u64 {
    let steps = stamp(now).wrapping_sub(stamp_then) as i32;
    u64::from(steps.max(0) as u32) << STAMP_SHIFT
}

#[inline]
fn subject_of(task: TaskRef) -> u64 {
    task.0.addr() as u64
}

#[inline]
fn operation(at: u64, kind: Kind, token: OpToken) -> Record {
    Record::new(at, kind, token.to_user_data())
}

/// A task that waited is about to be put into a queue, whose place is the caller's (STATE-3), by whoever: `worker` is this
/// thread's, or null.
#[inline]
pub(crate) fn woken(task: TaskRef, home: &Worker, worker: *const Worker) {
    let queued_at = &task.core().queued_at;
    let Some(observed) = home.observed() else { return queued_at.set(0) };
    // SAFETY: CURRENT-1 and WORKER-1.
    let here = unsafe { worker.as_ref() }.and_then(Worker::observed);
    let now = match here {
        // Between polls nothing has passed since the completions came.
        Some(here) if here.worker.task.get().is_null() => here.last(),
        _ => (observed.observation.clock)(),
    };
    queued_at.set(stamp(now));
    if let Some(here) = here {
        // SAFETY: STATE-3: a task that was woken is live.
        let vtable = unsafe { task.vtable_of_live() };
        here.record(Record::new(now, Kind::Woken, subject_of(task)).of(vtable));
    }
}

/// A task is about to be published on `worker`, by whatever thread.
#[inline]
pub(crate) fn published(task: TaskRef, worker: &Worker, vtable: &'static TaskVtable) {
    let queued_at = &task.core().queued_at;
    let Some(observed) = worker.observed() else { return queued_at.set(0) };
    let now = (observed.observation.clock)();
    queued_at.set(stamp(now));
    if core::ptr::eq(current::worker(), worker) {
        observed.record(Record::new(now, Kind::Spawned, subject_of(task)).of(vtable));
    }
}

/// A holder on its own task has taken a result.
#[inline]
pub(crate) fn taken(slot: &'static Slot, generation: Count) {
    let Some(observed) = current::get().and_then(Worker::observed) else { return };
    // Another worker's completion may have come within this poll.
    let here = core::ptr::eq(slot.worker.get(), observed.worker);
    let at = if here { observed.last() } else { observed.now() };
    observed.record(operation(at, Kind::Taken, slot.token(generation)));
}

impl Worker {
    #[inline]
    pub(crate) fn turn_begins(&self) {
        if let Some(observed) = self.observed() {
            observed.begin_turn();
        }
    }

    /// Nothing of the turn is left to do: foreign code may run.
    #[inline]
    pub(crate) fn turn_ends(&self) {
        if let Some(observed) = self.observed() {
            observed.end_turn();
        }
    }

    #[inline]
    pub(crate) fn poll_begins(&self, task: TaskRef, vtable: &'static TaskVtable) -> PollBegan {
        let Some(observed) = self.observed() else { return 0 };
        let now = observed.last();
        let queued_at = task.core().queued_at.replace(0);
        if queued_at != 0 {
            self.observer.wait_ns.record(since(queued_at, now));
        }
        self.observer.begin_poll(now, vtable);
        now.max(1)
    }

    #[inline]
    pub(crate) fn poll_ends(&self, began: PollBegan, task: TaskRef, vtable: &'static TaskVtable, done: bool) {
        if began == 0 {
            return;
        }
        self.observer.end_poll();
        let Some(observed) = self.observed() else { return };
        let ns = observed.now().saturating_sub(began);
        self.observer.poll_ns.record(ns);
        let mut record = Record::new(began, Kind::Poll, subject_of(task)).of(vtable);
        record.value = u32::try_from(ns).unwrap_or(u32::MAX);
        if ns > observed.observation.slow_ns {
            record.mark = record::SLOW;
            self.slow_poll(vtable.name, ns);
        }
        observed.record(record);
        if done {
            observed.record(Record::new(began + ns, Kind::Done, subject_of(task)).of(vtable));
        }
    }

    #[cold]
    fn slow_poll(&self, task: &'static str, ns: u64) {
        count(&self.observer.slow_polls);
        let (worker, slow) = (self.index.get() as usize, &self.observer.slow);
        slow.set(Some(match slow.get() {
            None => SlowPoll { task, worker, ns, others: 0 },
            Some(longer) if longer.ns >= ns => SlowPoll { others: longer.others + 1, ..longer },
            Some(shorter) => SlowPoll { task, worker, ns, others: shorter.others + 1 },
        }));
    }

    /// Whether a task's last step may be put off (HELD-1).
    #[inline]
    pub(crate) fn may_hold(&self) -> bool {
        self.observed().is_none()
    }

    /// A task that was polled goes into the queue again, whose place is the caller's.
    #[inline]
    pub(crate) fn queued_again(&self, task: TaskRef, again: bool) {
        if again && let Some(observed) = self.observed() {
            task.core().queued_at.set(stamp(observed.last()));
        }
    }

    /// A task came through the inbox.
    #[inline]
    pub(crate) fn came_in(&self, task: TaskRef) {
        if let Some(observed) = self.observed() {
            // SAFETY: STATE-3: only live tasks are in queues.
            let vtable = unsafe { task.vtable_of_live() };
            observed.record(Record::new(observed.last(), Kind::Woken, subject_of(task)).of(vtable));
        }
    }

    #[inline]
    pub(crate) fn op_queued(&self, slot: &'static Slot, generation: Count, op: &Descriptor) {
        self.began(slot, generation, record::code_of(op), 0);
    }

    #[inline]
    pub(crate) fn timer_queued(&self, slot: &'static Slot) {
        self.began(slot, slot.observe().1, record::TIMER_CODE, record::TIMER);
    }

    #[inline]
    fn began(&self, slot: &'static Slot, generation: Count, code: u16, mark: u8) {
        let Some(observed) = self.observed() else { return };
        self.observer.queued.set(self.observer.queued.get() + u32::from(mark == 0));
        let mut record = operation(observed.now(), Kind::Queued, slot.token(generation));
        (record.code, record.mark) = (code, mark);
        // An armed slot of a file's has no task.
        if let Some(task) = self.task() {
            record = record.of(task.vtable());
        }
        observed.record(record);
    }

    /// The loop is about to be entered; what was queued goes to the system.
    #[inline]
    pub(crate) fn loop_entered(&self) {
        let Some(observed) = self.observed() else { return };
        let in_flight = &self.observer.in_flight_max;
        in_flight.set(in_flight.get().max(self.in_flight.get()));
        let queued = self.observer.queued.replace(0);
        if queued > 0 {
            observed.record(Record { value: queued, ..Record::new(observed.last(), Kind::Submitted, 0) });
        }
        // Whatever completes has a time of its own.
        self.observer.last.set(0);
    }

    /// An operation ends: within the reaping too (REAP-1).
    #[inline]
    pub(crate) fn op_completed(&self, slot: &'static Slot) {
        self.op_event(slot, Kind::Completed);
    }

    #[inline]
    pub(crate) fn op_orphaned(&self, slot: &'static Slot) {
        self.op_event(slot, Kind::Orphaned);
    }

    #[inline]
    pub(crate) fn op_cancelled(&self, slot: &'static Slot) {
        self.op_event(slot, Kind::Cancelled);
    }

    #[inline]
    fn op_event(&self, slot: &'static Slot, kind: Kind) {
        if let Some(observed) = self.observed() {
            let token = slot.token(slot.observe().1);
            observed.record(operation(observed.last(), kind, token));
        }
    }

    /// The turn sleeps now, if it does.
    #[inline]
    pub(crate) fn falls_asleep(&self, sleeps: bool) -> SleepBegan {
        if !sleeps {
            return 0;
        }
        self.observed().map_or(0, |observed| observed.now().max(1))
    }

    #[inline]
    pub(crate) fn woke_up(&self, began: SleepBegan) {
        if began != 0
            && let Some(observed) = self.observed()
        {
            let now = observed.last();
            let value = u32::try_from(now.saturating_sub(began) / 1000).unwrap_or(u32::MAX);
            observed.record(Record { value, ..Record::new(began, Kind::Slept, 0) });
        }
    }

    #[inline]
    pub(crate) fn stole(&self, tasks: usize) {
        if let Some(observed) = self.observed() {
            observed.record(Record { value: tasks as u32, ..Record::new(observed.last(), Kind::Stole, 0) });
        }
    }

    /// This worker's bell is being rung, by whatever thread.
    #[inline]
    pub(crate) fn is_rung(&self) {
        if let Some(observed) = current::get().and_then(Worker::observed) {
            let value = self.index.get();
            observed.record(Record { value, ..Record::new(observed.last(), Kind::Rang, 0) });
        }
    }
}
