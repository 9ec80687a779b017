//! A pool of equal blocks in a static, and what hands blocks out.
//!
//! POOL-1: the free list and the waiters are touched under the lock only; a block is in the list, or
//! beyond `fresh` (never used), or claimed by exactly one owner. POOL-2: no foreign code runs under the
//! lock. POOL-3: a released block goes to the first waiter, still claimed, else to the list.

use super::header::{Header, TaskRef};
use super::line::{Line, Waiter};
use super::vtable::TaskVtable;
use crate::atomics::{AtomicPtr, Ordering, prefetch};
use core::ptr;
use core::task::Waker;
use spin::mutex::{SpinMutex, SpinMutexGuard};
use spin::once::Once;

/// The part of a pool that knows nothing of the blocks' types.
pub struct PoolControl {
    inner: SpinMutex<PoolInner>,
    pub(crate) info: Once<PoolInfo>,
    pub(crate) next_pool: AtomicPtr<PoolControl>,
}

struct PoolInner {
    free: *const Header,
    fresh: u32,
    used: u32,
    used_max: u32,
    line: Line,
}

// SAFETY: POOL-1.
unsafe impl Send for PoolInner {}

impl core::fmt::Debug for PoolControl {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // POOL-2: what is written to is foreign code.
        let used = self.inner.lock().used;
        write!(f, "{used} in use")
    }
}

/// Where the blocks lie and how large they are. Its vtable's `context` is the pool's control.
#[derive(Debug)]
pub(crate) struct PoolInfo {
    pub blocks: *const u8,
    pub stride: usize,
    pub count: u32,
    /// Bytes of the static beside its blocks.
    pub beside: usize,
    pub body_offset: usize,
    /// Its tasks stay on their thread.
    pub pinned: bool,
    /// What publish is told, where the spawn does not say it.
    pub kind: u32,
    pub vtable: TaskVtable,
}

// SAFETY: it points to static blocks, and is written once.
unsafe impl Send for PoolInfo {}
// SAFETY: as above.
unsafe impl Sync for PoolInfo {}

impl PoolControl {
    /// A pool that is not in use yet: all zeros.
    pub const fn new() -> Self {
        Self {
            inner: SpinMutex::new(PoolInner {
                free: ptr::null(),
                fresh: 0,
                used: 0,
                used_max: 0,
                line: Line::new(),
            }),
            info: Once::new(),
            next_pool: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// A block, without waiting. The list is empty while somebody waits, so nobody is overtaken.
    #[inline]
    pub(crate) fn claim(&self, info: &PoolInfo) -> Option<TaskRef> {
        self.inner.lock().claim(info)
    }

    /// A block, or the one that the waiter was handed; else it waits in the line, with this waker. One lock for all of
    /// it, so that a block which is released meanwhile is given to who waits, and not past it.
    ///
    /// # Safety
    /// WAITER-1: `waiter` is pinned, waits for this pool alone, and [`leave`](Self::leave)s before it goes.
    pub(super) unsafe fn claim_or_wait(
        &self,
        info: &PoolInfo,
        waiter: &Waiter,
        waker: Waker,
    ) -> Option<TaskRef> {
        let mut inner = self.inner.lock();
        let claimed = match waiter.take_block() {
            Some(task) => Some(task),
            None if waiter.is_linked() => None,
            None => inner.claim(info),
        };
        if claimed.is_some() {
            return claimed;
        }
        let old = waiter.put_waker(waker);
        if !waiter.is_linked() {
            // SAFETY: WAITER-1: the caller's promise.
            unsafe { inner.line.push(waiter) };
        }
        drop(inner);
        // POOL-2.
        drop(old);
        None
    }

    /// The waiter goes. A block that it was handed meanwhile is the next one's.
    pub(super) fn leave(&self, waiter: &Waiter) {
        let block = {
            let mut inner = self.inner.lock();
            inner.line.remove(waiter);
            waiter.take_block()
        };
        if let Some(task) = block {
            self.give_back(task);
        }
    }

    /// POOL-3.
    #[inline]
    pub(crate) fn give_back(&self, task: TaskRef) {
        let mut inner = self.inner.lock();
        if inner.line.is_empty() { inner.push(task) } else { hand(inner, task) }
    }

    /// Use and high-water mark.
    pub(crate) fn memory(&'static self, info: &PoolInfo) -> PoolMemory {
        let inner = self.inner.lock();
        PoolMemory {
            name: info.vtable.name,
            blocks: info.count,
            block_bytes: info.stride,
            beside: info.beside,
            used: inner.used,
            used_max: inner.used_max,
            address: info.blocks.addr(),
        }
    }

    /// Does something during which no block is claimed or given back.
    pub(crate) fn locked<R>(&self, f: impl FnOnce() -> R) -> R {
        let _inner = self.inner.lock();
        f()
    }

    /// How many blocks have ever been claimed: the ones whose headers may be looked at.
    pub(crate) fn touched(&self) -> u32 {
        self.inner.lock().fresh
    }
}

impl Default for PoolControl {
    fn default() -> Self {
        Self::new()
    }
}

/// To the first in the line, which is woken after the lock (POOL-2).
#[cold]
#[inline(never)]
fn hand(mut inner: SpinMutexGuard<'_, PoolInner>, task: TaskRef) {
    let waker = inner.line.hand(task);
    drop(inner);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl PoolInner {
    #[inline]
    fn claim(&mut self, info: &PoolInfo) -> Option<TaskRef> {
        let header = if !self.free.is_null() {
            let header = self.free;
            self.free = TaskRef(header).header().next.load(Ordering::Relaxed);
            prefetch(self.free);
            header
        } else if self.fresh < info.count {
            let index = self.fresh as usize;
            self.fresh += 1;
            info.blocks.wrapping_add(index * info.stride).cast()
        } else {
            return None;
        };
        self.used += 1;
        self.used_max = self.used_max.max(self.used);
        Some(TaskRef(header))
    }

    #[inline]
    fn push(&mut self, task: TaskRef) {
        task.header().next.store(self.free.cast_mut(), Ordering::Relaxed);
        self.free = task.0;
        self.used -= 1;
    }
}

/// What a pool uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolMemory {
    /// The task's name.
    pub name: &'static str,
    /// Blocks in the pool.
    pub blocks: u32,
    /// Bytes of one block, everything included.
    pub block_bytes: usize,
    /// Bytes of the pool beside its blocks.
    pub beside: usize,
    /// Blocks in use now.
    pub used: u32,
    /// The most that were in use at once.
    pub used_max: u32,
    /// Where the blocks lie.
    pub address: usize,
}

/// The release function of every pool block's vtable.
pub(crate) unsafe extern "C-unwind" fn release_block(header: *const Header) {
    let task = TaskRef(header);
    // SAFETY: the vtable of a pool's blocks names the pool's control, a static.
    let control: &'static PoolControl = unsafe { &*task.vtable().context.cast() };
    task.header().state.free();
    control.give_back(task);
}
