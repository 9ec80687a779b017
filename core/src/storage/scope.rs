//! Tasks that borrow: a blocking call, whose tasks' bodies lie on the stack around it.
//!
//! SCOPE-1: a body is borrowed for the scope's life, and the scope ends only when no body holds its future any
//! more, also when its closure or a turn panics. `ended` is the last look at a body and at the scope. What of
//! a task is left then, its header and slots, is static.

use super::table::{TaskTable, give_back, nothing, place_of};
use super::{Exhausted, Reason};
use crate::exec::{Budget, Executor, current};
use crate::task::{AbortHandle, BODY_DONE, Body, Header, JoinError, TaskRef, TaskVtable, busy_beyond};
use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::future::Future;
use core::marker::{PhantomData, PhantomPinned};
use core::pin::Pin;
use core::ptr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The future, not spawned or pending.
    Future,
    /// The future, being polled; found by anyone else: its poll has panicked.
    Polled,
    /// The output.
    Output,
    /// Nothing.
    Ended(Option<JoinError>),
}

/// A body for a task of a scope: pin it on the stack before the scope.
pub struct StackBody<F: Future> {
    body: UnsafeCell<Body<F>>,
    stage: Cell<Stage>,
    /// The live count of the scope that it was spawned in.
    live: Cell<*const Cell<usize>>,
    _pinned: PhantomPinned,
}

impl<F: Future> fmt::Debug for StackBody<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StackBody({:?})", self.stage.get())
    }
}

impl<F: Future> StackBody<F> {
    /// A body that begins.
    pub const fn new(future: F) -> Self {
        Self {
            body: UnsafeCell::new(Body::new(future)),
            stage: Cell::new(Stage::Future),
            live: Cell::new(ptr::null()),
            _pinned: PhantomPinned,
        }
    }

    /// What came of it, once, after its scope. None if it was not spawned, or was taken already.
    pub fn take(self: Pin<&mut Self>) -> Option<Result<F::Output, JoinError>> {
        match self.stage.replace(Stage::Ended(None)) {
            Stage::Output => {
                // SAFETY: BODY-2: the scope has ended, so the output is the owner's.
                Some(Ok(unsafe { Body::take_output(self.body.get()) }))
            }
            Stage::Ended(error) => error.map(Err),
            stage => {
                self.stage.set(stage);
                None
            }
        }
    }

    /// The future is gone: the last look at the body and its scope.
    fn ended(&self, stage: Stage) {
        self.stage.set(stage);
        // SAFETY: SCOPE-1: a scope waits for its bodies.
        let live = unsafe { &*self.live.get() };
        live.set(live.get() - 1);
        if live.get() == 0 {
            // The turn that this happens in must not sleep: the scope waits for nothing else.
            stay_awake(true);
        }
    }
}

impl<F: Future> Drop for StackBody<F> {
    fn drop(&mut self) {
        // SAFETY: BODY-2: no scope has it any more (SCOPE-1).
        match self.stage.get() {
            // SAFETY: as above.
            Stage::Future => unsafe { Body::drop_future(self.body.get()) },
            // SAFETY: as above.
            Stage::Output => unsafe { Body::drop_output(self.body.get()) },
            Stage::Polled | Stage::Ended(_) => {}
        }
    }
}

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
    live: Cell<usize>,
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
    let scope = Scope { live: Cell::new(0), spawned: Cell::new(false), scope: PhantomData, env: PhantomData };
    let end = End { driver, live: &scope.live, spawned: &scope.spawned };
    end.driver.enter(|| f(&scope))
}

/// Whether this thread's worker may not sleep, whatever there is to do.
fn stay_awake(awake: bool) {
    if let Some(worker) = current::get() {
        worker.set_wake_at(if awake { 0 } else { u64::MAX });
    }
}

/// Waits for a scope's tasks, however it is left (SCOPE-1).
struct End<'a, D: ScopeDriver> {
    driver: &'a mut D,
    live: &'a Cell<usize>,
    spawned: &'a Cell<bool>,
}

impl<D: ScopeDriver> Drop for End<'_, D> {
    fn drop(&mut self) {
        while self.live.get() > 0 {
            // When a turn panics, the rest of the waiting is done by this one's drop.
            let rest = End { driver: &mut *self.driver, live: self.live, spawned: self.spawned };
            rest.driver.turn();
            core::mem::forget(rest);
        }
        if self.spawned.replace(false) {
            self.driver.enter(|| stay_awake(false));
        }
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
        self.live.set(self.live.get() + 1);
        self.spawned.set(true);
        let task = claimed.task;
        let vtable = const { &StackBody::<F>::vtable::<K>() };
        // SAFETY: the vtable is this body's; SCOPE-1 keeps it until its future is gone, after which the vtable
        // does not look at it. One reference for the runner, one for the handle.
        unsafe { claimed.publish(worker, vtable, ptr::from_ref(body).cast_mut().cast(), 2, true) };
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

impl<F: Future> StackBody<F> {
    const fn vtable<const K: usize>() -> TaskVtable {
        TaskVtable {
            poll: Self::poll::<K>,
            stop: Self::stop::<K>,
            drop_output: nothing,
            release: release::<K>,
            slots: K as u32,
            busy: busy_beyond(K),
            context: ptr::null(),
            name: "scoped task",
        }
    }

    fn of<'a, const K: usize>(header: *const Header) -> &'a Self {
        // SAFETY: SCOPE-1: called only while the body holds its future.
        unsafe { &*place_of::<K>(header).cast::<Self>() }
    }

    unsafe extern "C-unwind" fn poll<const K: usize>(header: *const Header) -> i32 {
        let this = Self::of::<K>(header);
        this.stage.set(Stage::Polled);
        // The future's drop may panic once it is ready: then nobody stops it again.
        let gone = GoneWhilePolled { this, header };
        // SAFETY: BODY-2.
        let step = unsafe { Body::poll(this.body.get(), header) };
        core::mem::forget(gone);
        if step == BODY_DONE {
            this.ended(Stage::Output);
        } else {
            this.stage.set(Stage::Future);
        }
        step
    }

    unsafe extern "C-unwind" fn stop<const K: usize>(header: *const Header) -> i32 {
        let this = Self::of::<K>(header);
        let panicked = this.stage.get() == Stage::Polled;
        let error = if panicked { JoinError::Panicked } else { JoinError::Aborted };
        let ended = Ended(this, error);
        // SAFETY: BODY-2; a live task that starts has its future.
        unsafe { Body::drop_future(this.body.get()) };
        drop(ended);
        BODY_DONE
    }
}

/// Counts a body as ended, also when its future's drop panics.
struct Ended<'a, F: Future>(&'a StackBody<F>, JoinError);

impl<F: Future> Drop for Ended<'_, F> {
    fn drop(&mut self) {
        self.0.ended(Stage::Ended(Some(self.1)));
    }
}

/// A poll panicked: if the future is gone, the task will not be stopped, and the body has ended.
struct GoneWhilePolled<'a, F: Future> {
    this: &'a StackBody<F>,
    header: *const Header,
}

impl<F: Future> Drop for GoneWhilePolled<'_, F> {
    #[cold]
    fn drop(&mut self) {
        if TaskRef(self.header).header().state.load() & crate::task::state::BODY_GONE != 0 {
            self.this.ended(Stage::Ended(Some(JoinError::Panicked)));
        }
    }
}

unsafe extern "C-unwind" fn release<const K: usize>(header: *const Header) {
    // SAFETY: the last step.
    unsafe { give_back::<K>(header) };
}
