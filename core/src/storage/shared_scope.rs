//! Scopes whose tasks run on all workers.
//!
//! SCOPE-4: the scope holds a reference to each of its tasks until its closure has returned, or unwound, and all bodies
//! are counted out. A handle is bound to the scope's life, which ends before that, so it needs no reference of its
//! own, and a forgotten one keeps nothing.

use super::live::{Links, Live};
use super::scope::{ScopeDriver, wait_for};
use super::stack_body::{StackBody, Stage};
use super::table::TaskTable;
use super::{Exhausted, Reason};
use crate::task::{Holder, TaskRef};
use core::cell::Cell;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr;

/// Spawns tasks that may borrow what lies outside, and run on any worker; see [`shared_scope`].
#[derive(Debug)]
pub struct SharedScope<'scope, 'env: 'scope> {
    live: Live,
    bodies: Cell<*const Links>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Runs `f`, which may spawn tasks that borrow and that move between the runtime's workers; returns when all of them
/// have ended. This thread turns its own worker meanwhile. What a task borrows or gives is shared with other threads, so
/// its future and output are `Send`; for tasks that stay here there is [`scope`](fn@super::scope).
///
/// ```
/// # use unboxed_core as unboxed;
/// # thread_local!(static CURRENT: core::cell::Cell<*const unboxed::exec::Worker> = const { core::cell::Cell::new(core::ptr::null()) });
/// # unboxed::current_worker_cell!(unsafe CURRENT.with(core::ptr::from_ref));
/// use core::pin::pin;
/// use unboxed::storage::{StackBody, TaskTable, shared_scope};
/// # use unboxed::exec::{Executor, WorkerStorage};
/// # use unboxed::event_loop::scripted::ScriptedLoop;
/// # static WORKER: WorkerStorage<1, 1> = WorkerStorage::new();
/// # static LOOP: ScriptedLoop<8> = ScriptedLoop::new();
/// # let mut executor = Executor::start(&WORKER, &LOOP, 0).unwrap();
/// static TASKS: TaskTable<4, 1> = TaskTable::new();
///
/// let numbers: [u64; 100] = core::array::from_fn(|n| n as u64);
/// let (front, back) = numbers.split_at(50);
/// let mut front = pin!(StackBody::new(async { front.iter().sum::<u64>() }));
/// let mut back = pin!(StackBody::new(async { back.iter().sum::<u64>() }));
/// shared_scope(&mut executor, |s| {
///     s.spawn(&TASKS, front.as_mut()).unwrap();
///     s.spawn(&TASKS, back.as_mut()).unwrap();
/// });
/// assert_eq!((front.take(), back.take()), (Some(Ok(1225)), Some(Ok(3725))));
/// ```
///
/// # Panics
/// As [`scope`](fn@super::scope); a task's panic on another worker is told by its body alone.
pub fn shared_scope<'env, D: ScopeDriver, R>(
    driver: &mut D,
    f: impl for<'scope> FnOnce(&'scope SharedScope<'scope, 'env>) -> R,
) -> R {
    let scope = SharedScope {
        live: Live::new(),
        bodies: Cell::new(ptr::null()),
        scope: PhantomData,
        env: PhantomData,
    };
    let end = End { driver, live: &scope.live, bodies: &scope.bodies };
    end.driver.enter(|| f(&scope))
}

/// Waits for a scope's tasks, however it is left (SCOPE-1).
struct End<'a, D: ScopeDriver> {
    driver: &'a mut D,
    live: &'a Live,
    bodies: &'a Cell<*const Links>,
}

impl<D: ScopeDriver> Drop for End<'_, D> {
    fn drop(&mut self) {
        /// Also when a turn panics, and the rest of the waiting is done while that unwinds.
        struct LetGo<'a>(&'a Cell<*const Links>);
        impl Drop for LetGo<'_> {
            fn drop(&mut self) {
                // SAFETY: SCOPE-1: the bodies are borrowed for the scope's life, and none is left.
                unsafe { Links::let_go(self.0.replace(ptr::null())) };
            }
        }
        let _let_go = LetGo(self.bodies);
        wait_for(self.driver, self.live);
    }
}

impl<'scope> SharedScope<'scope, '_> {
    /// Starts a task with its header in `table` and its body where it is, on whichever worker has time.
    ///
    /// Another thread may run it, so this does not compile:
    ///
    /// ```compile_fail,E0277
    /// # use unboxed_core as unboxed;
    /// use core::{cell::Cell, pin::pin};
    /// use unboxed::storage::{StackBody, TaskTable, shared_scope};
    /// # fn refused(executor: &mut unboxed::exec::Executor) {
    /// static TASKS: TaskTable<1, 0> = TaskTable::new();
    /// let count = Cell::new(0);
    /// let mut body = pin!(StackBody::new(async { count.set(1) }));
    /// shared_scope(executor, |s| drop(s.spawn(&TASKS, body.as_mut())));
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Exhausted`] with the body: the table is full, or the body was spawned before.
    pub fn spawn<F, const N: usize, const K: usize>(
        &'scope self,
        table: &'static TaskTable<N, K>,
        body: Pin<&'scope mut StackBody<F>>,
    ) -> Result<SharedHandle<'scope>, Exhausted<Pin<&'scope mut StackBody<F>>>>
    where
        F: Future + Send + 'scope,
        F::Output: Send + 'scope,
    {
        let refused =
            |future, reason| Exhausted { future, needed: size_of::<StackBody<F>>(), left: None, reason };
        if body.stage.get() != Stage::Future {
            return Err(refused(body, Reason::Spent));
        }
        let (claimed, worker) = match table.claim() {
            Ok(claimed) => claimed,
            Err(reason) => return Err(refused(body, reason)),
        };
        let body = body.into_ref().get_ref();
        let task = claimed.task;
        body.live.set(&raw const self.live);
        body.links.join(&self.bodies, task);
        self.live.raise(worker);
        let vtable = const { &StackBody::<F>::vtable::<K, true>() };
        // SAFETY: the vtable is this body's; SCOPE-1 keeps it until its future is gone, after which the vtable
        // does not look at it. One reference for the runner, one for the scope (SCOPE-4).
        unsafe { claimed.publish(worker, vtable, ptr::from_ref(body).cast_mut().cast(), Holder::Counted, 0) };
        Ok(SharedHandle { task, scope: PhantomData })
    }
}

/// A task of a [`SharedScope`], to be aborted. Dropping it does nothing.
#[derive(Debug)]
pub struct SharedHandle<'scope> {
    /// SCOPE-4.
    task: TaskRef,
    scope: PhantomData<&'scope ()>,
}

impl SharedHandle<'_> {
    /// Asks the task to end; its body is dropped soon, on the worker that runs it.
    pub fn abort(&self) {
        self.task.abort();
    }
}
