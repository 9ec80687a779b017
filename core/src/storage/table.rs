//! Static headers and slots for tasks whose bodies lie elsewhere.
//!
//! TABLE-2: a table's blocks are all of the type `TableBlock<K>`, whatever their bodies. `place` says where
//! the body lies; it is written by the spawner, before publish, and read by the runner and the releaser.
//! STORE-1: `release` gives a body's memory back: it runs once an activation, at zero references, after the
//! future is dropped and the output taken or dropped.

use super::alloc::{BodyAlloc, Exhausted, Reason};
use crate::exec::{Worker, current};
use crate::op::Slot;
use crate::task::{
    BODY_DONE, Body, Header, Holder, JoinHandle, PoolControl, PoolInfo, PoolMemory, TaskCore, TaskRef,
};
use crate::task::{Lane, TaskVtable, busy_beyond, register, state};
use core::alloc::Layout;
use core::cell::{Cell, UnsafeCell};
use core::future::Future;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

/// One header with its slots, and where its body lies.
#[repr(C)]
pub(super) struct TableBlock<const K: usize> {
    core: TaskCore,
    slots: [Slot; K],
    place: Cell<*mut ()>,
    control: Cell<Option<&'static PoolControl>>,
}

/// Headers for `N` tasks with `K` slots each, to be put in a static.
#[repr(C)]
pub struct TaskTable<const N: usize, const K: usize> {
    blocks: UnsafeCell<MaybeUninit<[TableBlock<K>; N]>>,
    control: PoolControl,
}

// SAFETY: blocks follow the rules of their headers, the control its lock.
unsafe impl<const N: usize, const K: usize> Sync for TaskTable<N, K> {}

impl<const N: usize, const K: usize> core::fmt::Debug for TaskTable<N, K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "TaskTable({:?})", self.control)
    }
}

/// A body in an arena: its allocator, and the future or the output.
struct ArenaBody<F: Future, A> {
    alloc: A,
    body: UnsafeCell<Body<F>>,
}

/// A claimed block of a table, until it is published or given back.
pub(super) struct Claimed<const K: usize> {
    pub task: TaskRef,
    control: &'static PoolControl,
}

impl<const K: usize> Drop for Claimed<K> {
    fn drop(&mut self) {
        self.control.give_back(self.task);
    }
}

impl<const K: usize> Claimed<K> {
    /// Publishes the task with its body at `place`; one whose kind is not pinned may move to other workers.
    ///
    /// # Safety
    /// `vtable` works on a `TableBlock<K>` with what lies at `place`, which stays there until `release`.
    pub unsafe fn publish(
        self,
        worker: &'static Worker,
        vtable: &'static TaskVtable,
        place: *mut (),
        holder: Holder,
        kind: u32,
    ) {
        let (task, control) = (self.task, self.control);
        core::mem::forget(self);
        let block = task.0.cast::<TableBlock<K>>();
        // SAFETY: TABLE-2; the block is claimed.
        unsafe {
            (*block).place.set(place);
            (*block).control.set(Some(control));
        }
        task.publish_on(worker, vtable, holder, kind);
    }
}

/// Where the body of a table's task lies.
pub(super) fn place_of<const K: usize>(header: *const Header) -> *mut () {
    // SAFETY: TABLE-2.
    unsafe { (*header.cast::<TableBlock<K>>()).place.get() }
}

/// The header is free again, and the table's.
///
/// # Safety
/// From a `release` function of a table's task, as its last step.
pub(super) unsafe fn give_back<const K: usize>(header: *const Header) {
    // SAFETY: TABLE-2.
    let control = unsafe { (*header.cast::<TableBlock<K>>()).control.get() };
    let task = TaskRef(header);
    task.header().state.free();
    if let Some(control) = control {
        control.give_back(task);
    }
}

impl<const N: usize, const K: usize> TaskTable<N, K> {
    /// All free. It is all zeros, hence in `.bss` as a static.
    pub const fn new() -> Self {
        const {
            assert!(N > 0 && N < u32::MAX as usize, "a table has at least one task");
            assert!(K <= 64, "a task has at most 64 slots of its own");
        }
        Self { blocks: UnsafeCell::new(MaybeUninit::zeroed()), control: PoolControl::new() }
    }

    const fn nobody(name: &'static str) -> TaskVtable {
        TaskVtable {
            poll: no_body,
            stop: no_body,
            drop_output: nothing,
            release: nothing,
            body: 0,
            slots: K as u32,
            bytes: 0,
            busy: busy_beyond(K),
            context: ptr::null(),
            name,
        }
    }

    /// Names the table, for messages and memory maps. Before its first use; later it changes nothing.
    pub fn name(&'static self, name: &'static str) {
        self.info_named(name);
    }

    fn info(&'static self) -> &'static PoolInfo {
        self.info_named("task table")
    }

    fn info_named(&'static self, name: &'static str) -> &'static PoolInfo {
        register(&self.control, || PoolInfo {
            blocks: self.blocks.get().cast(),
            stride: size_of::<TableBlock<K>>(),
            count: N as u32,
            beside: size_of::<Self>() - N * size_of::<TableBlock<K>>(),
            body_offset: 0,
            // Each spawn says it of its own task.
            pinned: false,
            kind: 0,
            vtable: Self::nobody(name),
        })
    }

    /// Use and high-water mark; the bytes are those of headers and slots.
    pub fn memory(&'static self) -> PoolMemory {
        self.control.memory(self.info())
    }

    pub(super) fn claim(&'static self) -> Result<(Claimed<K>, &'static Worker), Reason> {
        let worker = current::get().filter(|w| w.is_open()).ok_or(Reason::NoRuntime)?;
        match self.control.claim(self.info()) {
            Some(task) => Ok((Claimed { task, control: &self.control }, worker)),
            None => Err(Reason::TableFull { tasks: N as u32 }),
        }
    }

    /// Starts a task on this thread's runtime, with its body in `alloc`.
    ///
    /// # Errors
    /// [`Exhausted`] with the future.
    pub fn spawn<F, A>(&'static self, alloc: A, future: F) -> Result<JoinHandle<F::Output>, Exhausted<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        A: BodyAlloc,
    {
        self.spawn_as(alloc, future, 0)
    }

    /// The same in a lane of its own.
    ///
    /// # Errors
    /// [`Exhausted`] with the future.
    pub fn spawn_in<F, A>(
        &'static self,
        lane: Lane,
        alloc: A,
        future: F,
    ) -> Result<JoinHandle<F::Output>, Exhausted<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        A: BodyAlloc,
    {
        self.spawn_as(alloc, future, lane.kind(false))
    }

    /// The same for a future that stays on this thread.
    ///
    /// # Errors
    /// [`Exhausted`] with the future.
    pub fn spawn_local<F, A>(
        &'static self,
        alloc: A,
        future: F,
    ) -> Result<JoinHandle<F::Output>, Exhausted<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
        A: BodyAlloc,
    {
        self.spawn_as(alloc, future, state::PINNED)
    }

    fn spawn_as<F, A>(
        &'static self,
        alloc: A,
        future: F,
        kind: u32,
    ) -> Result<JoinHandle<F::Output>, Exhausted<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
        A: BodyAlloc,
    {
        let layout = Layout::new::<ArenaBody<F, A>>();
        let needed = layout.size();
        let (claimed, worker) = match self.claim() {
            Ok(claimed) => claimed,
            Err(reason) => return Err(Exhausted { future, needed, left: alloc.left(), reason }),
        };
        let Some(place) = (if needed == 0 { Some(NonNull::dangling()) } else { alloc.take(layout) }) else {
            let reason = if alloc.is_sealed() { Reason::Sealed } else { Reason::Memory };
            return Err(Exhausted { future, needed, left: alloc.left(), reason });
        };
        let place: NonNull<ArenaBody<F, A>> = place.cast();
        let body = UnsafeCell::new(Body::new(future));
        // SAFETY: the memory is this body's, by the contract of `BodyAlloc`.
        unsafe { place.write(ArenaBody { alloc, body }) };
        let task = claimed.task;
        let vtable = const { &ArenaBody::<F, A>::vtable::<K>() };
        // SAFETY: the vtable is this body's, and it stays until `release`.
        unsafe { claimed.publish(worker, vtable, place.as_ptr().cast(), Holder::Join, kind) };
        // SAFETY: the body lies there.
        let output = unsafe { (*place.as_ptr()).body.get() };
        Ok(JoinHandle::new(task, output.cast()))
    }
}

impl<const N: usize, const K: usize> Default for TaskTable<N, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Future + 'static, A: BodyAlloc> ArenaBody<F, A> {
    const fn vtable<const K: usize>() -> TaskVtable {
        TaskVtable {
            poll: Self::poll::<K>,
            stop: Self::stop::<K>,
            drop_output: Self::drop_output::<K>,
            release: Self::release::<K>,
            body: 0,
            slots: K as u32,
            bytes: 0,
            busy: busy_beyond(K),
            context: ptr::null(),
            name: "arena task",
        }
    }

    fn of<const K: usize>(header: *const Header) -> *mut Self {
        place_of::<K>(header).cast()
    }

    unsafe extern "C-unwind" fn poll<const K: usize>(header: *const Header) -> i32 {
        // SAFETY: BODY-2; the body is where its place says.
        unsafe { Body::poll((*Self::of::<K>(header)).body.get(), header) }
    }

    unsafe extern "C-unwind" fn stop<const K: usize>(header: *const Header) -> i32 {
        // SAFETY: BODY-2; a live task that starts has its future.
        unsafe { Body::drop_future((*Self::of::<K>(header)).body.get()) };
        BODY_DONE
    }

    unsafe extern "C-unwind" fn drop_output<const K: usize>(header: *const Header) {
        // SAFETY: BODY-2.
        unsafe { Body::drop_output((*Self::of::<K>(header)).body.get()) };
    }

    unsafe extern "C-unwind" fn release<const K: usize>(header: *const Header) {
        let place = Self::of::<K>(header);
        // SAFETY: STORE-1: the last look at the body; its allocator moves out.
        let alloc = unsafe { (&raw const (*place).alloc).read() };
        let layout = Layout::new::<Self>();
        if let Some(data) = NonNull::new(place).filter(|_| layout.size() > 0) {
            // SAFETY: STORE-1: it was taken from a clone of this allocator, and goes back once.
            unsafe { alloc.give(data.cast(), layout) };
        }
        // SAFETY: the last step.
        unsafe { give_back::<K>(header) };
    }
}

unsafe extern "C-unwind" fn no_body(_: *const Header) -> i32 {
    BODY_DONE
}

pub(super) unsafe extern "C-unwind" fn nothing(_: *const Header) {}
