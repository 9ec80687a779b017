//! A pool of equal blocks in a static, and what hands blocks out.
//!
//! POOL-1: the free list and the waiters are touched under the lock only; a block is in the list, or
//! beyond `fresh` (never used), or claimed by exactly one owner. POOL-2: no foreign code runs under the
//! lock. POOL-3: a released block goes to the first waiter, still claimed, else to the list.

use super::header::{Header, TaskRef};
use super::join::JoinHandle;
use super::vtable::TaskVtable;
use crate::atomics::{AtomicPtr, AtomicU8, Ordering};
use crate::exec::{Remote, current};
use crate::op::WakerCell;
use core::cell::Cell;
use core::future::Future;
use core::marker::{PhantomData, PhantomPinned};
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll};
use spin::mutex::SpinMutex;
use spin::once::Once;

/// The part of a pool that knows nothing of the blocks' types.
#[derive(Debug)]
pub struct PoolControl {
    inner: SpinMutex<PoolInner>,
    pub(crate) info: Once<PoolInfo>,
    pub(crate) next_pool: AtomicPtr<PoolControl>,
}

#[derive(Debug)]
struct PoolInner {
    free: *const Header,
    fresh: u32,
    used: u32,
    used_max: u32,
    first_waiter: *const Waiter,
    last_waiter: *const Waiter,
}

// SAFETY: POOL-1.
unsafe impl Send for PoolInner {}

/// Where the blocks lie and how large they are. Its vtable's `context` is the pool's control.
#[derive(Debug)]
pub(crate) struct PoolInfo {
    pub blocks: *const u8,
    pub stride: usize,
    pub count: u32,
    pub body_offset: usize,
    /// Its tasks stay on their thread.
    pub pinned: bool,
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
                first_waiter: ptr::null(),
                last_waiter: ptr::null(),
            }),
            info: Once::new(),
            next_pool: AtomicPtr::new(ptr::null_mut()),
        }
    }

    pub(crate) fn claim(&self, info: &PoolInfo) -> Option<TaskRef> {
        let mut inner = self.inner.lock();
        // A waiter comes before everyone who does not wait; the list is empty while there are any.
        let header = if !inner.free.is_null() {
            let header = inner.free;
            inner.free = TaskRef(header).header().next.load(Ordering::Relaxed);
            header
        } else if inner.fresh < info.count {
            let index = inner.fresh as usize;
            inner.fresh += 1;
            info.blocks.wrapping_add(index * info.stride).cast()
        } else {
            return None;
        };
        inner.used += 1;
        inner.used_max = inner.used_max.max(inner.used);
        Some(TaskRef(header))
    }

    pub(crate) fn give_back(&self, task: TaskRef) {
        let waker = {
            let mut inner = self.inner.lock();
            match inner.pop_waiter() {
                Some(waiter) => {
                    waiter.block.set(task.0);
                    // The waiter may be gone as soon as it sees HANDED, so its waker comes out first.
                    let waker = waiter.waker.take();
                    waiter.state.store(HANDED, Ordering::Release);
                    waker
                }
                None => {
                    task.header().next.store(inner.free.cast_mut(), Ordering::Relaxed);
                    inner.free = task.0;
                    inner.used -= 1;
                    None
                }
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Use and high-water mark.
    pub(crate) fn memory(&'static self, info: &PoolInfo) -> PoolMemory {
        let inner = self.inner.lock();
        PoolMemory {
            name: info.vtable.name,
            blocks: info.count,
            block_bytes: info.stride,
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

impl PoolInner {
    fn pop_waiter(&mut self) -> Option<&Waiter> {
        // SAFETY: WAITER-1.
        let waiter = unsafe { self.first_waiter.as_ref() }?;
        self.first_waiter = waiter.next.get();
        if self.first_waiter.is_null() {
            self.last_waiter = ptr::null();
        }
        Some(waiter)
    }

    fn push_waiter(&mut self, waiter: &Waiter) {
        waiter.next.set(ptr::null());
        if self.last_waiter.is_null() {
            self.first_waiter = waiter;
        } else {
            // SAFETY: WAITER-1.
            unsafe { &*self.last_waiter }.next.set(waiter);
        }
        self.last_waiter = waiter;
    }

    fn remove_waiter(&mut self, waiter: &Waiter) {
        let mut before: *const Waiter = ptr::null();
        let mut at = self.first_waiter;
        while !at.is_null() && !ptr::eq(at, waiter) {
            before = at;
            // SAFETY: WAITER-1.
            at = unsafe { &*at }.next.get();
        }
        if at.is_null() {
            return;
        }
        if before.is_null() {
            self.first_waiter = waiter.next.get();
        } else {
            // SAFETY: WAITER-1.
            unsafe { &*before }.next.set(waiter.next.get());
        }
        if ptr::eq(self.last_waiter, waiter) {
            self.last_waiter = before;
        }
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
    /// Blocks in use now.
    pub used: u32,
    /// The most that were in use at once.
    pub used_max: u32,
    /// Where the blocks lie.
    pub address: usize,
}

/// The pool, and how to start a task in it: type-erased over the future, so that it can be named.
pub struct Pool<A, T> {
    pub(crate) control: &'static PoolControl,
    pub(crate) info: &'static PoolInfo,
    pub(crate) write: unsafe fn(*const Header, A),
    pub(crate) types: PhantomData<fn(A) -> T>,
}

impl<A, T> core::fmt::Debug for Pool<A, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Pool({})", self.info.vtable.name)
    }
}

impl<A, T> Clone for Pool<A, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A, T> Copy for Pool<A, T> {}

impl<A, T> Pool<A, T> {
    /// Starts a task on this thread's runtime.
    ///
    /// # Errors
    /// [`SpawnError`] with the arguments: the pool is full, or there is no open runtime here.
    #[inline]
    pub fn spawn(self, args: A) -> Result<JoinHandle<T>, SpawnError<A>> {
        match self.try_reserve() {
            Ok(reservation) => reservation.spawn(args),
            Err(reason) => Err(SpawnError { args, reason }),
        }
    }

    /// Starts a task on another runtime, from any thread.
    ///
    /// # Errors
    /// As [`Reservation::spawn_on`], and when the pool is full.
    pub fn spawn_on(self, remote: &Remote, args: A) -> Result<JoinHandle<T>, SpawnError<A>> {
        match self.try_reserve() {
            Ok(reservation) => reservation.spawn_on(remote, args),
            Err(reason) => Err(SpawnError { args, reason }),
        }
    }

    fn handle(self, task: TaskRef) -> JoinHandle<T> {
        JoinHandle::new(task, task.0.cast::<u8>().wrapping_add(self.info.body_offset).cast())
    }

    /// Claims a block without waiting.
    ///
    /// # Errors
    /// [`ReserveError::PoolFull`].
    #[inline]
    pub fn try_reserve(self) -> Result<Reservation<A, T>, ReserveError> {
        match self.control.claim(self.info) {
            Some(task) => Ok(Reservation { pool: self, task }),
            None => Err(ReserveError::PoolFull { task: self.info.vtable.name, blocks: self.info.count }),
        }
    }

    /// Waits for a block, first come first served. Dropping the future gives up the place; a block that
    /// was handed to it meanwhile goes to the next.
    pub fn reserve(self) -> Reserve<A, T> {
        Reserve { pool: self, waiter: Waiter::new(), _pinned: PhantomPinned }
    }

    /// Use and high-water mark.
    pub fn memory(self) -> PoolMemory {
        self.control.memory(self.info)
    }
}

/// Why no block was to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReserveError {
    /// All blocks of the task's pool are in use.
    PoolFull {
        /// The task.
        task: &'static str,
        /// How many blocks its pool has.
        blocks: u32,
    },
    /// This thread is not inside a runtime, or the runtime is closing.
    NoRuntime,
    /// A task of `#[task(local)]` cannot be started from another thread.
    StaysHere {
        /// The task.
        task: &'static str,
    },
}

impl core::fmt::Display for ReserveError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::PoolFull { task, blocks } => write!(
                f,
                "all {blocks} blocks of task `{task}` are in use: wait with `{task}::reserve().await`, \
                 shed the load, or raise `pool`"
            ),
            Self::NoRuntime => f.write_str(
                "this thread is not inside an open runtime: spawn from within `block_on`, `enter` or a task",
            ),
            Self::StaysHere { task } => write!(
                f,
                "task `{task}` stays on its thread, so no other one starts it: drop `local`, or spawn it there"
            ),
        }
    }
}

impl core::error::Error for ReserveError {}

/// A task could not be started; its arguments come back.
pub struct SpawnError<A> {
    /// The arguments, untouched.
    pub args: A,
    /// Why.
    pub reason: ReserveError,
}

impl<A> core::fmt::Debug for SpawnError<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SpawnError({:?})", self.reason)
    }
}

impl<A> core::fmt::Display for SpawnError<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.reason.fmt(f)
    }
}

impl<A> core::error::Error for SpawnError<A> {}

/// A claimed block, in which a task may be started. Dropping it gives the block back.
#[derive(Debug)]
pub struct Reservation<A, T> {
    pool: Pool<A, T>,
    task: TaskRef,
}

impl<A, T> Reservation<A, T> {
    /// Starts the task on this thread's runtime.
    ///
    /// # Errors
    /// [`SpawnError`] with the arguments when there is no open runtime here.
    #[inline]
    pub fn spawn(self, args: A) -> Result<JoinHandle<T>, SpawnError<A>> {
        let Some(worker) = current::get().filter(|w| w.is_open()) else {
            return Err(SpawnError { args, reason: ReserveError::NoRuntime });
        };
        let (pool, task) = (self.pool, self.task);
        // SAFETY: POOL-1, the block is claimed by this reservation. When building the future panics, the
        // reservation's drop gives the block back.
        unsafe { (pool.write)(task.0, args) };
        core::mem::forget(self);
        task.publish_on(worker, &pool.info.vtable, 2, pool.info.pinned);
        Ok(pool.handle(task))
    }

    /// Starts the task on another runtime, from any thread.
    ///
    /// # Errors
    /// [`SpawnError`] with the arguments when that runtime is not open, or the task stays on its thread.
    pub fn spawn_on(self, remote: &Remote, args: A) -> Result<JoinHandle<T>, SpawnError<A>> {
        let (pool, task) = (self.pool, self.task);
        if pool.info.pinned {
            return Err(SpawnError { args, reason: ReserveError::StaysHere { task: pool.info.vtable.name } });
        }
        let Some((_spawning, target)) = remote.target() else {
            return Err(SpawnError { args, reason: ReserveError::NoRuntime });
        };
        // SAFETY: as in `spawn`.
        unsafe { (pool.write)(task.0, args) };
        core::mem::forget(self);
        task.publish_from_outside(target, &pool.info.vtable, 2);
        Ok(pool.handle(task))
    }
}

impl<A, T> Drop for Reservation<A, T> {
    fn drop(&mut self) {
        self.pool.control.give_back(self.task);
    }
}

/// The release function of every pool block's vtable.
pub(crate) unsafe extern "C-unwind" fn release_block(header: *const Header) {
    let task = TaskRef(header);
    // SAFETY: the vtable of a pool's blocks names the pool's control, a static.
    let control: &'static PoolControl = unsafe { &*task.vtable().context.cast() };
    task.header().state.free();
    control.give_back(task);
}

const WAITING: u8 = 0;
const HANDED: u8 = 1;

/// WAITER-1: linked under the pool's lock, only from a pinned [`Reserve`], whose drop unlinks it.
/// WAITER-2: `next` and `block` are touched under the lock, or by the future once it has seen HANDED.
#[derive(Debug)]
struct Waiter {
    next: Cell<*const Waiter>,
    block: Cell<*const Header>,
    waker: WakerCell,
    state: AtomicU8,
    linked: Cell<bool>,
}

impl Waiter {
    const fn new() -> Self {
        Self {
            next: Cell::new(ptr::null()),
            block: Cell::new(ptr::null()),
            waker: WakerCell::new(),
            state: AtomicU8::new(WAITING),
            linked: Cell::new(false),
        }
    }
}

/// Waits for a block; see [`Pool::reserve`].
///
/// # Cancel safety
/// Dropping it loses nothing but its place in the line.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Reserve<A, T> {
    pool: Pool<A, T>,
    waiter: Waiter,
    _pinned: PhantomPinned,
}

// SAFETY: WAITER-2.
unsafe impl<A, T> Send for Reserve<A, T> {}

impl<A, T> Future for Reserve<A, T> {
    type Output = Reservation<A, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        let waiter = &this.waiter;
        let pool = this.pool;
        let waker = cx.waker().clone();
        if waiter.linked.get() {
            // Under the lock, so that a block that is being handed over wakes this waker or is seen here.
            let old = {
                let _inner = pool.control.inner.lock();
                waiter.waker.put(waker)
            };
            drop(old);
        } else if let Some(task) = pool.control.claim(pool.info) {
            return Poll::Ready(Reservation { pool, task });
        } else {
            drop(waiter.waker.put(waker));
            waiter.state.store(WAITING, Ordering::Relaxed);
            pool.control.inner.lock().push_waiter(waiter);
            waiter.linked.set(true);
            // A block released between the claim and the push went to the list: look again.
            if let Some(task) = pool.control.claim(pool.info) {
                let handed = this.unlink();
                if let Some(spare) = handed {
                    pool.control.give_back(spare);
                }
                return Poll::Ready(Reservation { pool, task });
            }
        }
        if waiter.state.load(Ordering::Acquire) == HANDED {
            waiter.linked.set(false);
            waiter.state.store(WAITING, Ordering::Relaxed);
            return Poll::Ready(Reservation { pool, task: TaskRef(waiter.block.get()) });
        }
        Poll::Pending
    }
}

impl<A, T> Reserve<A, T> {
    /// Out of the line; the block that it was handed, if it was.
    fn unlink(&self) -> Option<TaskRef> {
        let mut inner = self.pool.control.inner.lock();
        self.waiter.linked.set(false);
        if self.waiter.state.load(Ordering::Acquire) == HANDED {
            self.waiter.state.store(WAITING, Ordering::Relaxed);
            return Some(TaskRef(self.waiter.block.get()));
        }
        inner.remove_waiter(&self.waiter);
        None
    }
}

impl<A, T> Drop for Reserve<A, T> {
    fn drop(&mut self) {
        if self.waiter.linked.get()
            && let Some(task) = self.unlink()
        {
            // Handed to a waiter that goes: the next one's.
            self.pool.control.give_back(task);
        }
    }
}
