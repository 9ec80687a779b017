//! The hooks of `hooks.rs`, without the feature `trace`: nothing is left of them.

use crate::atomics::Count;
use crate::event_loop::Descriptor;
use crate::exec::Worker;
use crate::op::Slot;
use crate::task::{TaskRef, TaskVtable};

#[derive(Clone, Copy)]
pub(crate) struct PollBegan;
#[derive(Clone, Copy)]
pub(crate) struct SleepBegan;

#[inline(always)]
pub(crate) fn woken(_: TaskRef, _: &Worker, _: *const Worker) {}

#[inline(always)]
pub(crate) fn published(_: TaskRef, _: &Worker, _: &'static TaskVtable) {}

#[inline(always)]
pub(crate) fn taken(_: &'static Slot, _: Count) {}

impl Worker {
    #[inline(always)]
    pub(crate) fn turn_begins(&self) {}

    #[inline(always)]
    pub(crate) fn turn_ends(&self) {}

    #[inline(always)]
    pub(crate) fn poll_begins(&self, _: TaskRef, _: &'static TaskVtable) -> PollBegan {
        PollBegan
    }

    #[inline(always)]
    pub(crate) fn poll_ends(&self, _: PollBegan, _: TaskRef, _: &'static TaskVtable, _: bool) {}

    #[inline(always)]
    pub(crate) fn may_hold(&self) -> bool {
        true
    }

    #[inline(always)]
    pub(crate) fn queued_again(&self, _: TaskRef, _: bool) {}

    #[inline(always)]
    pub(crate) fn came_in(&self, _: TaskRef) {}

    #[inline(always)]
    pub(crate) fn op_queued(&self, _: &'static Slot, _: Count, _: &Descriptor) {}

    #[inline(always)]
    pub(crate) fn timer_queued(&self, _: &'static Slot) {}

    #[inline(always)]
    pub(crate) fn loop_entered(&self) {}

    #[inline(always)]
    pub(crate) fn op_completed(&self, _: &'static Slot) {}

    #[inline(always)]
    pub(crate) fn op_orphaned(&self, _: &'static Slot) {}

    #[inline(always)]
    pub(crate) fn op_cancelled(&self, _: &'static Slot) {}

    #[inline(always)]
    pub(crate) fn falls_asleep(&self, _: bool) -> SleepBegan {
        SleepBegan
    }

    #[inline(always)]
    pub(crate) fn woke_up(&self, _: SleepBegan) {}

    #[inline(always)]
    pub(crate) fn stole(&self, _: usize) {}

    #[inline(always)]
    pub(crate) fn is_rung(&self) {}
}
