//! The end of a task: its slots, its output, its joiner, its memory (R7).

use super::header::TaskRef;
use super::{state, waker};
use crate::atomics::Ordering;
use crate::exec::Worker;
use crate::op::{FREE, IN_FLIGHT, READY, REQ_DROP, Slot};
use crate::sync::rest_while;
use core::task::Waker;

/// The body has ended; the runner's last steps. On the task's thread.
pub(crate) fn finish(worker: &'static Worker, task: TaskRef) {
    let header = task.header();
    if task.core().busy.get() != task.vtable().busy || task.core().spares.get() != 0 {
        take_back_slots(worker, task);
    }
    // JOIN-4: before done, behind which the block may be somebody else's (JOIN-1).
    let near = task.core().near.get();
    let before = header.state.done();
    let joined = before & state::JOIN_WAKER != 0 || (near && before & state::JOIN_FAR == 0);
    if before & state::DETACHED != 0 {
        finish_alone(task, before, joined);
    } else if joined {
        // SAFETY: JOIN-2 and JOIN-4: done has found the bit or `near`.
        let waker = unsafe { take_join_waker(task) };
        // JOIN-3: the last access.
        task.core().left.store(true, Ordering::Release);
        waker::wake_by(waker, worker);
    }
}

/// There is no handle: output, waker and reference are the runner's, whose done has found this word.
#[inline]
fn finish_alone(task: TaskRef, before: u32, joined: bool) {
    // JOIN-1; behind the foreign code.
    let _last = Unref(task);
    task.core().near.set(false);
    // SAFETY: JOIN-2 and JOIN-4: done has found the bit or `near`.
    let _waker = joined.then(|| unsafe { take_join_waker(task) });
    if before & state::NO_OUTPUT == 0 {
        // SAFETY: BODY-2; DETACHED came before done, so the output is the runner's.
        unsafe { (task.vtable().drop_output)(task.0) };
    }
}

/// Takes the waker out of the join cell.
///
/// # Safety
/// JOIN-2: the caller is the runner, whose done has found JOIN_WAKER, or no JOIN_FAR where `near` was set; once.
unsafe fn take_join_waker(task: TaskRef) -> Waker {
    // SAFETY: by this function's contract.
    unsafe { (*task.core().join.get()).assume_init_read() }
}

/// Gives a reference back also when foreign code panics.
struct Unref(TaskRef);

impl Drop for Unref {
    fn drop(&mut self) {
        unref(self.0);
    }
}

/// R7: READY slots become free, slots in flight are orphaned and pin the block. The references are added
/// before the marking, so that no completion in between finds the count too low.
#[cold]
fn take_back_slots(worker: &'static Worker, task: TaskRef) {
    let spares = worker.all_spares().filter(|s| s.owner.get() == task.0);
    let taken = task.slots().iter().filter(|s| !s.is_free()).count() as u32 + spares.clone().count() as u32;
    if taken == 0 {
        return;
    }
    task.header().refs.add(taken);
    let mut pinned = 0;
    for slot in task.slots() {
        if take_back(worker, slot) {
            pinned += 1;
        }
    }
    for slot in spares {
        if take_back(worker, slot) {
            pinned += 1;
        } else {
            // Free, and whoever freed it does not look at the owner any more (HOLD-3).
            slot.owner.set(core::ptr::null());
        }
    }
    task.core().spares.set(0);
    // `pinned` slots give their reference back at their terminal completion.
    task.header().refs.drop_excess(taken - pinned);
}

/// True when the slot pins the block.
fn take_back(worker: &'static Worker, slot: &'static Slot) -> bool {
    let (state, generation) = slot.observe();
    match state {
        FREE => return false,
        READY if slot.claim(generation) => {
            worker.discard(slot);
            return false;
        }
        IN_FLIGHT if !core::ptr::eq(slot.worker.get(), worker) => {
            slot.ask(generation, REQ_DROP);
        }
        IN_FLIGHT => worker.orphan_with_waker(slot),
        _ => {}
    }
    let freed = slot.hold.pin();
    // HOLD-3.
    rest_while(|| freed && !slot.is_free());
    !freed
}

/// Gives one reference back; the last one releases the block.
#[inline]
pub(crate) fn unref(task: TaskRef) {
    if task.header().refs.drop_one() {
        release(task);
    }
}

fn release(task: TaskRef) {
    debug_assert_eq!(task.header().state.load() & state::LIVE, 0);
    // SAFETY: REFS-2.
    unsafe { (task.vtable().release)(task.0) };
}
