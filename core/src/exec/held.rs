//! The task whose runner has put off its last step.
//!
//! A poll that has returned pending ends with a step that lets others win the task's queue place. Where tasks stay on their
//! worker nobody else could do anything with it before this poll and the next one are over, and often that next one is
//! what wakes the task: a child its joiner, an answer its asker. So the step is put off until another poll has gone
//! pending too, or the round ends. A wake on the worker's own thread in between then takes no step at all, nor does the
//! start behind it.
//!
//! HELD-1: `held` is null, or a live task of this worker alone that was polled here, is in no queue and still RUNNING
//! (STATE-8): whoever takes it out there is its runner. It is touched by the worker's thread within a turn, and is null
//! outside of a round of polls, so nothing is held when the worker looks whether it may sleep. Who aborts or wakes it on
//! this thread takes it from there at once; what comes from elsewhere waits for the step, as it would in the inbox.
//! A worker that is observed holds nothing: it would not see how long such a task waits.

use super::worker::Worker;
use crate::task::{Header, TaskRef, state};
use core::ptr;

impl Worker {
    /// Behind a poll that returned pending, of a task that stays here; true when the task is to be queued again.
    #[inline]
    #[must_use]
    pub(super) fn hold(&'static self, task: TaskRef) -> bool {
        if task.header().state.is_woken() {
            self.queued_again(task, true);
            return true;
        }
        if !self.may_hold() {
            let again = task.header().state.pending();
            self.queued_again(task, again);
            return again;
        }
        debug_assert!(state::is_pinned(task.header().state.load()), "it may run elsewhere");
        self.make_up(self.held.replace(task.0));
        false
    }

    /// Whether it was held, and is the caller's now, to be queued.
    #[inline]
    #[must_use]
    pub(crate) fn takes_held(&self, task: TaskRef) -> bool {
        let held = ptr::eq(self.held.get(), task.0);
        if held {
            self.held.set(ptr::null());
        }
        held
    }

    /// Whether somebody has woken the task that is held: it is as good as in the inbox.
    pub(super) fn held_is_woken(&self) -> bool {
        let held = self.held.get();
        !held.is_null() && TaskRef(held).header().state.is_woken()
    }

    /// Nothing is held any more.
    #[inline]
    pub(super) fn hold_none(&'static self) {
        self.make_up(self.held.replace(ptr::null()));
    }

    /// The step that was put off.
    #[inline]
    fn make_up(&'static self, held: *const Header) {
        if held.is_null() {
            return;
        }
        let task = TaskRef(held);
        if task.header().state.pending() {
            self.push_held(task);
        }
    }

    #[cold]
    #[inline(never)]
    fn push_held(&'static self, task: TaskRef) {
        self.queued_again(task, true);
        self.push(task);
    }
}

/// A round of polls; whichever way it ends, nothing is held behind it (HELD-1).
pub(super) struct Round(&'static Worker);

impl Round {
    #[inline]
    pub fn new(worker: &'static Worker) -> Self {
        Self(worker)
    }
}

impl Drop for Round {
    #[inline]
    fn drop(&mut self) {
        self.0.hold_none();
    }
}
