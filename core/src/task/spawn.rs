//! Starting a task in a block of its pool.

use super::header::{Header, Holder, TaskRef};
use super::join::JoinHandle;
use super::pool::{PoolControl, PoolInfo, PoolMemory};
use super::reserve::Reserve;
use crate::exec::{Remote, Worker, current};
use core::marker::PhantomData;

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
        Reserve::new(self)
    }

    /// Use and high-water mark.
    pub fn memory(self) -> PoolMemory {
        self.control.memory(self.info)
    }
}

/// A claimed block, in which a task may be started. Dropping it gives the block back.
#[derive(Debug)]
pub struct Reservation<A, T> {
    pool: Pool<A, T>,
    task: TaskRef,
}

impl<A, T> Reservation<A, T> {
    /// For a block that the caller has claimed.
    pub(super) fn new(pool: Pool<A, T>, task: TaskRef) -> Self {
        Self { pool, task }
    }

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
        if pool.info.kind == 0 {
            task.publish_on(worker, &pool.info.vtable, Holder::Join, 0);
        } else {
            publish_other(task, worker, pool.info);
        }
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
        task.publish_from_outside(target, &pool.info.vtable, Holder::Join, pool.info.kind);
        Ok(pool.handle(task))
    }
}

/// One that does not move, or in another lane. It reads the kind anew, so that a spawn of any other task keeps it in no
/// register.
#[inline(never)]
fn publish_other(task: TaskRef, worker: &'static Worker, info: &'static PoolInfo) {
    task.publish_on(worker, &info.vtable, Holder::Join, info.kind);
}

impl<A, T> Drop for Reservation<A, T> {
    fn drop(&mut self) {
        self.pool.control.give_back(self.task);
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
