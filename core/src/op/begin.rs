//! How an operation begins: a free slot of the running task, its waker, and its descriptor for the loop.

use super::error::Error;
use super::handle::{OpHandle, Parts};
use super::keep::Keep;
use super::slot::{NO_INDEX, Slot};
use super::slot_kind::SlotKind;
use crate::atomics::Count;
use crate::event_loop::{Descriptor, EventLoop};
use crate::exec::{Worker, current};
use crate::task::{TaskRef, clone_waker, task_of, waker_of};
use core::mem::ManuallyDrop;
use core::task::{Context, Waker};

/// Where an operation begins.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub worker: &'static Worker,
    pub event_loop: &'static dyn EventLoop,
    task: TaskRef,
}

/// The running task, its worker and its loop.
#[inline]
pub(crate) fn place() -> Result<Place, Error> {
    let worker = current::get().ok_or(Error::NoTask)?;
    let task = worker.task().ok_or(Error::NoTask)?;
    let event_loop = worker.open.get().ok_or(Error::Closed)?;
    Ok(Place { worker, event_loop, task })
}

impl OpHandle {
    /// Begins an operation in a slot of the running task.
    ///
    /// # Safety
    /// R0 and R4: what `op` names lies in the task's block, is kept by `parts`, or is static.
    #[inline]
    pub(crate) unsafe fn begin(
        &mut self,
        cx: &Context<'_>,
        op: &Descriptor,
        parts: Option<Parts>,
    ) -> Result<(), Error> {
        // SAFETY: passed on; when it does nothing, nothing was passed.
        if unsafe { self.begin_commonly(cx, op, parts) } {
            return Ok(());
        }
        // SAFETY: passed on.
        unsafe { self.begin_unusual(cx.waker(), op, parts) }
    }

    /// The common begin, which calls nothing before the submission: in a slot of the task's own, with a waker
    /// of ours. False when it is another case, and nothing was done.
    ///
    /// # Safety
    /// As [`begin`](Self::begin).
    #[inline(always)]
    pub(crate) unsafe fn begin_commonly(
        &mut self,
        cx: &Context<'_>,
        op: &Descriptor,
        parts: Option<Parts>,
    ) -> bool {
        let Some(task) = task_of(cx.waker()) else { return false };
        let Ok(place) = place() else { return false };
        let Some((slot, index)) = take_own_slot(place.task) else { return false };
        let waker = ManuallyDrop::into_inner(waker_of(task));
        let generation = slot.begin(place.task.0, index, place.worker, waker);
        // SAFETY: passed on.
        unsafe { self.submit(place, slot, generation, op, parts) };
        true
    }

    /// The same with a waker whose clone is somebody else's code, or with a spare slot.
    ///
    /// # Safety
    /// As [`begin`](Self::begin).
    #[cold]
    unsafe fn begin_unusual(
        &mut self,
        waker: &Waker,
        op: &Descriptor,
        parts: Option<Parts>,
    ) -> Result<(), Error> {
        let waker = clone_waker(waker);
        let place = place()?;
        let (slot, index) = take_slot(place.worker, place.task)?;
        let generation = slot.begin(place.task.0, index, place.worker, waker);
        // SAFETY: passed on.
        unsafe { self.submit(place, slot, generation, op, parts) };
        Ok(())
    }

    /// Begins an operation in a slot that belongs to no task.
    ///
    /// # Safety
    /// As [`begin`](Self::begin), and `slot` is free and the caller's.
    #[inline]
    pub(crate) unsafe fn begin_in(
        &mut self,
        place: Place,
        slot: &'static Slot,
        waker: Waker,
        op: &Descriptor,
        parts: Option<Parts>,
    ) {
        let generation = slot.begin(core::ptr::null(), NO_INDEX, place.worker, waker);
        // SAFETY: passed on.
        unsafe { self.submit(place, slot, generation, op, parts) };
    }

    /// # Safety
    /// As [`begin`](Self::begin), and `slot` was begun with `generation`.
    #[inline(always)]
    unsafe fn submit(
        &mut self,
        place: Place,
        slot: &'static Slot,
        generation: Count,
        op: &Descriptor,
        parts: Option<Parts>,
    ) {
        match parts {
            None => slot.kind.set(SlotKind::Plain),
            Some(parts) => keep(slot, &parts),
        }
        self.begun(slot, generation);
        // SAFETY: passed on.
        unsafe { place.worker.submit(place.event_loop, slot, generation, op) };
    }

    /// Begins a timer that ends at `deadline`; `now` is the loop's clock, in nanoseconds as well.
    #[inline]
    pub(crate) fn begin_timer(
        &mut self,
        cx: &Context<'_>,
        place: Place,
        now: u64,
        deadline: u64,
    ) -> Result<(), Error> {
        if let Some(task) = task_of(cx.waker())
            && let Some((slot, index)) = take_own_slot(place.task)
        {
            let waker = ManuallyDrop::into_inner(waker_of(task));
            self.begin_timer_in(place, (slot, index), waker, (now, deadline));
            return Ok(());
        }
        self.begin_unusual_timer(cx.waker(), (now, deadline))
    }

    /// The same with a waker whose clone is somebody else's code, or with a spare slot.
    #[cold]
    fn begin_unusual_timer(&mut self, waker: &Waker, times: (u64, u64)) -> Result<(), Error> {
        // First, since it may begin an operation of its own.
        let waker = clone_waker(waker);
        let place = place()?;
        let taken = take_slot(place.worker, place.task)?;
        self.begin_timer_in(place, taken, waker, times);
        Ok(())
    }

    #[inline(always)]
    fn begin_timer_in(
        &mut self,
        place: Place,
        (slot, index): (&'static Slot, u8),
        waker: Waker,
        (now, deadline): (u64, u64),
    ) {
        let generation = slot.begin(place.task.0, index, place.worker, waker);
        slot.kind.set(SlotKind::Timer);
        self.begun(slot, generation);
        place.worker.begin_timer(slot, now, deadline);
    }
}

/// What an operation keeps goes into its slot.
#[inline(always)]
fn keep(slot: &'static Slot, parts: &Parts) {
    slot.kind.set(parts.kind);
    let keep = slot.body.get().cast::<Keep>();
    // SAFETY: SLOT-1, the submitter's. Field by field: a copy of the whole, which was just put together, stalls until
    // its parts have been stored.
    unsafe {
        (&raw mut (*keep).raw.data).write(parts.raw.data);
        (&raw mut (*keep).raw.len).write(parts.raw.len);
        (&raw mut (*keep).raw.capacity).write(parts.raw.capacity);
        (&raw mut (*keep).vtable).write(parts.vtable);
        (&raw mut (*keep).file).write(parts.file);
    }
    if let Some(file) = parts.file {
        slot.held.set(file.begin_op(parts.lane));
    }
}

/// A free slot of the task's own, and its index, by its bookkeeping.
#[inline]
fn take_own_slot(task: TaskRef) -> Option<(&'static Slot, u8)> {
    let busy = &task.core().busy;
    let taken = busy.get();
    if taken == u64::MAX {
        return None;
    }
    let index = taken.trailing_ones();
    busy.set(taken | 1 << index);
    // SAFETY: TASK-4: a clear bit is one of the task's own slots.
    let slot = unsafe { task.slot(index) };
    debug_assert!(slot.is_free());
    Some((slot, index as u8))
}

/// The same, then by looking, then a spare.
fn take_slot(worker: &'static Worker, task: TaskRef) -> Result<(&'static Slot, u8), Error> {
    if let Some(taken) = take_own_slot(task) {
        return Ok(taken);
    }
    let slots = task.slots();
    // Slots that came back through the loop, not through this task.
    if let Some(index) = slots.iter().position(Slot::is_free) {
        return Ok((&slots[index], index as u8));
    }
    match worker.take_spare(task) {
        Some(spare) => Ok((spare, NO_INDEX)),
        None => Err(Error::SlotsExhausted { task: task.name(), slots: slots.len() as u32 }),
    }
}
