//! Tasks that borrow: a blocking call, whose tasks' bodies lie on the stack around it.
//!
//! SCOPE-1: a body is borrowed for the scope's life, and the scope ends only when no body holds its future any
//! more, also when its closure or a turn panics. What of a task is left then, its header and slots, is static.

use super::live::{Live, stay_awake};
use super::stack_body::{StackBody, Stage};
use super::table::TaskTable;
use super::{Exhausted, Reason};
use crate::exec::{Budget, Executor};
use crate::task::{AbortHandle, Holder, state};
use core::cell::Cell;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr;

/// What drives a scope: a runtime.
pub trait ScopeDriver {
    /// Runs `f` inside the runtime.
    fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R;
    /// Polls tasks and drives the loop once, sleeping if there is nothing to do.
    fn turn(&mut self);
}

impl ScopeDriver for Executor {
    fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        Self::enter(self, f)
    }

    fn turn(&mut self) {
        Self::turn(self, Budget::SLEEP);
    }
}

/// Spawns tasks that may borrow what lies outside; see [`scope`].
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    live: Live,
    spawned: Cell<bool>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Runs `f`, which may spawn tasks that borrow; returns when all of them have ended.
///
/// ```
/// # use unboxed_core as unboxed;
/// # thread_local!(static CURRENT: core::cell::Cell<*const unboxed::exec::Worker> = const { core::cell::Cell::new(core::ptr::null()) });
/// # unboxed::current_worker_cell!(unsafe CURRENT.with(core::ptr::from_ref));
/// use core::pin::pin;
/// use unboxed::storage::{StackBody, TaskTable, scope};
/// # use unboxed::exec::{Executor, WorkerStorage};
/// # use unboxed::event_loop::scripted::ScriptedLoop;
/// # static WORKER: WorkerStorage<1, 1> = WorkerStorage::new();
/// # static LOOP: ScriptedLoop<8> = ScriptedLoop::new();
/// # let mut executor = Executor::start(&WORKER, &LOOP, 0).unwrap();
/// static TASKS: TaskTable<4, 1> = TaskTable::new();
///
/// let words = ["three", "borrowed", "words"];
/// let mut long = pin!(StackBody::new(async { words.iter().filter(|w| w.len() > 5).count() }));
/// let mut all = pin!(StackBody::new(async { words.len() }));
/// scope(&mut executor, |s| {
///     s.spawn(&TASKS, long.as_mut()).unwrap();
///     s.spawn(&TASKS, all.as_mut()).unwrap();
/// });
/// assert_eq!((long.take(), all.take()), (Some(Ok(1)), Some(Ok(3))));
/// ```
///
/// # Panics
/// With the closure's panic; on an `Executor`, which cannot catch one, also with that of a task. All tasks
/// have ended before it goes on; a second panic meanwhile aborts the process. When this thread is inside a
/// runtime already.
pub fn scope<'env, D: ScopeDriver, R>(
    driver: &mut D,
    f: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
) -> R {
    let scope = Scope { live: Live::new(), spawned: Cell::new(false), scope: PhantomData, env: PhantomData };
    let end = End { driver, live: &scope.live, spawned: &scope.spawned };
    end.driver.enter(|| f(&scope))
}

/// Waits for a scope's tasks, however it is left (SCOPE-1).
struct End<'a, D: ScopeDriver> {
    driver: &'a mut D,
    live: &'a Live,
    spawned: &'a Cell<bool>,
}

impl<D: ScopeDriver> Drop for End<'_, D> {
    fn drop(&mut self) {
        wait_for(self.driver, self.live);
        if self.spawned.replace(false) {
            self.driver.enter(|| stay_awake(false));
        }
    }
}

/// Drives the runtime until no body is left.
pub(super) fn wait_for<D: ScopeDriver>(driver: &mut D, live: &Live) {
    /// When a turn panics, the rest of the waiting is done by this one's drop.
    struct Rest<'a, D: ScopeDriver>(&'a mut D, &'a Live);
    impl<D: ScopeDriver> Drop for Rest<'_, D> {
        fn drop(&mut self) {
            wait_for(self.0, self.1);
        }
    }
    while !live.is_over() {
        let rest = Rest(&mut *driver, live);
        rest.0.turn();
        core::mem::forget(rest);
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a task with its header in `table` and its body where it is. It stays on this thread.
    ///
    /// # Errors
    /// [`Exhausted`] with the body: the table is full.
    pub fn spawn<F: Future + 'scope, const N: usize, const K: usize>(
        &'scope self,
        table: &'static TaskTable<N, K>,
        body: Pin<&'scope mut StackBody<F>>,
    ) -> Result<ScopedHandle<'scope>, Exhausted<Pin<&'scope mut StackBody<F>>>> {
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
        body.live.set(&raw const self.live);
        self.live.raise(worker);
        self.spawned.set(true);
        let task = claimed.task;
        let vtable = const { &StackBody::<F>::vtable::<K, false>() };
        // SAFETY: the vtable is this body's; SCOPE-1 keeps it until its future is gone, after which the vtable
        // does not look at it. One reference for the runner, one for the handle.
        unsafe {
            claimed.publish(
                worker,
                vtable,
                ptr::from_ref(body).cast_mut().cast(),
                Holder::Counted,
                state::PINNED,
            )
        };
        Ok(ScopedHandle { handle: AbortHandle::of(task), scope: PhantomData })
    }
}

/// A task of a scope, to be aborted. Dropping it does nothing.
#[derive(Debug)]
pub struct ScopedHandle<'scope> {
    handle: AbortHandle,
    scope: PhantomData<&'scope ()>,
}

impl ScopedHandle<'_> {
    /// Asks the task to end; its body is dropped soon.
    pub fn abort(&self) {
        self.handle.abort();
    }
}
