//! The root task: its body lies on the stack of the blocking call, its header and slots in the worker.
//!
//! ROOT-1: the worker knows where the body lies only within [`RootRun::turn`], whose run borrows it pinned.
//! A run may be forgotten and its body go: then the header is left over without a body, which a turn ends,
//! or the next run does. ROOT-2: the header and slots are `'static` (TASK-1), so wakers and operations of an ended
//! root are as harmless as any stale ones.

use super::turn::{Budget, Turned};
use super::worker::Worker;
use crate::op::Slot;
use crate::task::{self, BODY_DONE, BODY_PENDING, Header, TaskCore, TaskRef, TaskVtable, busy_beyond, state};
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::Context;

/// The root task's block: everything but the body, which the worker points to.
#[repr(C)]
pub(crate) struct RootBlock<const K: usize> {
    core: TaskCore,
    slots: [Slot; K],
}

/// Where the body lies, while there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RootBody {
    data: *mut (),
    poll: Option<unsafe fn(*mut (), &mut Context<'_>) -> bool>,
}

impl RootBody {
    pub const NONE: Self = Self { data: core::ptr::null_mut(), poll: None };
}

impl<const K: usize> core::fmt::Debug for RootBlock<K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.core.header.fmt(f)
    }
}

impl<const K: usize> RootBlock<K> {
    const VTABLE: TaskVtable = TaskVtable {
        poll: Self::poll,
        stop: Self::stop,
        drop_output: nothing,
        release: nothing,
        body: 0,
        slots: K as u32,
        bytes: 0,
        busy: busy_beyond(K),
        context: core::ptr::null(),
        name: "root",
    };

    pub const fn new() -> Self {
        Self { core: TaskCore::new(), slots: [const { Slot::new() }; K] }
    }

    pub fn header(&'static self) -> *const Header {
        self.core.header.vtable.set(Some(const { &Self::VTABLE }));
        core::ptr::from_ref(self).cast()
    }

    unsafe extern "C-unwind" fn poll(header: *const Header) -> i32 {
        // SAFETY: a published root's home is its worker (WORKER-1).
        let worker = unsafe { &*(*header).home.load(crate::atomics::Ordering::Relaxed) };
        let body = worker.root_body.get();
        let waker = task::waker_of(TaskRef(header));
        // SAFETY: ROOT-1.
        let done = body.poll.is_none_or(|poll| unsafe { poll(body.data, &mut Context::from_waker(&waker)) });
        if done { BODY_DONE } else { BODY_PENDING }
    }

    unsafe extern "C-unwind" fn stop(_: *const Header) -> i32 {
        BODY_DONE
    }
}

unsafe extern "C-unwind" fn nothing(_: *const Header) {}

impl Worker {
    /// Whether a root run waits to be told that its future has ended, so that the turn must not sleep.
    pub(crate) fn root_has_ended(&self) -> bool {
        !self.root_body.get().data.is_null()
            && TaskRef(self.root.get()).header().state.load() & state::LIVE == 0
    }
}

/// What a turn of a root run says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootStep {
    /// The root future is ready.
    Done,
    /// It is not; so much was done.
    Pending(Turned),
    /// The root future panicked.
    Panicked,
}

/// A root future while it runs. Dropping it takes the future out of the worker.
#[derive(Debug)]
pub struct RootRun<'f> {
    worker: &'static Worker,
    task: TaskRef,
    body: RootBody,
    future: PhantomData<&'f mut ()>,
    not_send: PhantomData<*mut ()>,
}

impl<'f> RootRun<'f> {
    /// Makes `future` the worker's root task.
    pub(crate) fn begin<F: Future>(worker: &'static Worker, future: Pin<&'f mut Rooted<F>>) -> Self {
        // Nesting is refused before anything is changed.
        drop(super::current::Entered::new(worker));
        let header = worker.root.get();
        // SAFETY: pinned, and not moved through the pointer.
        let data = core::ptr::from_mut(unsafe { future.get_unchecked_mut() }).cast();
        let task = TaskRef(header);
        let body = RootBody { data, poll: Some(Rooted::<F>::poll) };
        end(worker, task);
        // Operations of an earlier root that have not ended keep their slots, and their references.
        let slots = task.slots().iter().enumerate();
        let none = task.vtable().busy;
        let busy = slots.fold(none, |bits, (i, slot)| bits | u64::from(!slot.is_free()) << i);
        task.core().busy.set(busy);
        task.header().refs.begin(task.header().refs.count() + 2);
        task.header().home.store(core::ptr::from_ref(worker).cast_mut(), crate::atomics::Ordering::Relaxed);
        // Its run has a reference of its own.
        task.header().state.publish(state::PINNED | state::DETACHED);
        worker.queue.push(task);
        Self { worker, task, body, future: PhantomData, not_send: PhantomData }
    }

    /// One turn of the worker.
    pub fn turn(&mut self, budget: Budget) -> RootStep {
        if let Some(step) = self.ended() {
            return step;
        }
        let turned = {
            let _reachable = Reachable::new(self.worker, self.body);
            self.worker.turn(budget)
        };
        self.ended().unwrap_or(RootStep::Pending(turned))
    }

    /// Whether the root future has panicked: its output will not come.
    pub fn panicked(&self) -> bool {
        self.task.header().state.load() & state::PANICKED != 0
    }

    fn ended(&self) -> Option<RootStep> {
        if self.panicked() {
            return Some(RootStep::Panicked);
        }
        let word = self.task.header().state.load();
        (word & state::LIVE == 0).then_some(RootStep::Done)
    }
}

impl Drop for RootRun<'_> {
    fn drop(&mut self) {
        end(self.worker, self.task);
        let _last = self.task.header().refs.drop_one();
        self.worker.hand_over();
        // Nobody may turn it for long.
        self.worker.goes_away();
    }
}

/// Ends the root task if it is live, out of every queue. The inbox is open, so that a wake that owns the queue
/// place arrives.
pub(super) fn end(worker: &'static Worker, task: TaskRef) {
    let word = &task.header().state;
    if word.load() & state::LIVE == 0 {
        return;
    }
    // Whoever owns the queue place may still be about to push; wait until it is ours.
    if word.abort().is_none() {
        while !worker.queue.remove(task) {
            for task in worker.inbox.take_all() {
                worker.push(TaskRef(task));
            }
            crate::atomics::relax();
        }
    }
    word.start();
    word.mark(state::NO_OUTPUT);
    task::finish(worker, task);
}

/// ROOT-1: the worker knows the body until this is dropped.
struct Reachable(&'static Worker);

impl Reachable {
    fn new(worker: &'static Worker, body: RootBody) -> Self {
        worker.root_body.set(body);
        Self(worker)
    }
}

impl Drop for Reachable {
    fn drop(&mut self) {
        self.0.root_body.set(RootBody::NONE);
    }
}

/// A root future with the place of its output.
#[derive(Debug)]
pub struct Rooted<F: Future> {
    future: Option<F>,
    output: Option<F::Output>,
}

impl<F: Future> Rooted<F> {
    /// A future that has not started.
    pub fn new(future: F) -> Self {
        Self { future: Some(future), output: None }
    }

    /// What it ended with.
    pub fn take_output(self: Pin<&mut Self>) -> Option<F::Output> {
        // SAFETY: the output is not pinned structurally.
        unsafe { self.get_unchecked_mut() }.output.take()
    }

    unsafe fn poll(data: *mut (), cx: &mut Context<'_>) -> bool {
        // SAFETY: ROOT-1: `data` is the pinned value that `begin` was given.
        let this = unsafe { &mut *data.cast::<Self>() };
        let Some(future) = this.future.as_mut() else { return true };
        // SAFETY: the future stays where it is until it is dropped in place.
        match unsafe { Pin::new_unchecked(future) }.poll(cx) {
            core::task::Poll::Pending => false,
            core::task::Poll::Ready(output) => {
                this.future = None;
                this.output = Some(output);
                true
            }
        }
    }
}
