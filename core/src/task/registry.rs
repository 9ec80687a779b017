//! The pools that have been used, so that a close finds its tasks and a memory map its pools.
//!
//! REGISTRY-1: a static list that only grows: a pool is pushed once, at its first use, and never leaves.

use super::header::{Header, TaskRef};
use super::pool::{PoolControl, PoolInfo, PoolMemory};
use crate::atomics::{AtomicPtr, Ordering};
use crate::op::Slot;
use core::ptr;

static POOLS: AtomicPtr<PoolControl> = AtomicPtr::new(ptr::null_mut());

/// The pool's info, registering the pool at its first use.
#[inline]
pub(crate) fn register(control: &'static PoolControl, make: impl FnOnce() -> PoolInfo) -> &'static PoolInfo {
    match control.info.get() {
        Some(info) => info,
        None => register_first(control, make),
    }
}

#[cold]
fn register_first(control: &'static PoolControl, make: impl FnOnce() -> PoolInfo) -> &'static PoolInfo {
    control.info.call_once(|| {
        let mut head = POOLS.load(Ordering::Relaxed);
        loop {
            control.next_pool.store(head, Ordering::Relaxed);
            let this = ptr::from_ref(control).cast_mut();
            match POOLS.compare_exchange_weak(head, this, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return make(),
                Err(seen) => head = seen,
            }
        }
    })
}

fn each(mut f: impl FnMut(&'static PoolControl, &'static PoolInfo)) {
    let mut at = POOLS.load(Ordering::Acquire);
    // SAFETY: REGISTRY-1.
    while let Some(control) = unsafe { at.as_ref() } {
        if let Some(info) = control.info.get() {
            f(control, info);
        }
        at = control.next_pool.load(Ordering::Relaxed);
    }
}

/// What every pool that has been used takes and uses.
pub fn for_each_pool(mut f: impl FnMut(PoolMemory)) {
    each(|control, info| f(control.memory(info)));
}

/// Aborts every task of which `doomed` says so. It is asked under the pool's lock: a block does not go from one task
/// to the next meanwhile (POOL-1).
pub(crate) fn abort_where(mut doomed: impl FnMut(TaskRef) -> bool) {
    each(|control, info| {
        for index in 0..control.touched() as usize {
            let task = TaskRef(info.blocks.wrapping_add(index * info.stride).cast::<Header>());
            let place = control.locked(|| if doomed(task) { task.header().state.abort() } else { None });
            if let Some(place) = place {
                task.enqueue_here(place);
            }
        }
    });
}

/// Every block that has ever been claimed, with its slots.
pub(crate) fn for_each_task(mut f: impl FnMut(TaskRef, &'static [Slot])) {
    each(|control, info| {
        for index in 0..control.touched() as usize {
            let header = info.blocks.wrapping_add(index * info.stride).cast::<Header>();
            let task = TaskRef(header);
            f(task, task.slots_of(&info.vtable));
        }
    });
}
