//! A body that is not Rust: a state pointer and three functions, as `unboxed.h` will have them.
//!
//! ```c
//! typedef struct ubx_context { const void *task; void (*wake)(const void *task); } ubx_context;
//! typedef struct ubx_body {
//!     void *state;
//!     int (*poll)(void *state, const ubx_context *cx);  // 0: pending, 1: done
//!     int (*drop)(void *state);                         // 0: not yet, call me again, 1: stopped
//!     void (*release)(void *state);                     // the memory is yours again; exactly once
//! } ubx_body;
//! ```
//! FOREIGN-1: `poll` and `drop` run on the task's thread, one at a time; after `drop` was called `poll` is not.
//! `release` comes last, on any thread, when the task has ended and no reference to it is left. `wake` may be
//! called from any thread at any time, also after `release`: headers are static.

use super::Reason;
use super::table::{TaskTable, give_back, nothing, place_of};
use crate::task::{BODY_DONE, BODY_PENDING, Header, Holder, JoinHandle, TaskRef, TaskVtable, busy_beyond};
use core::ffi::c_void;
use core::ptr::{self, NonNull};

/// What `poll` and `drop` return when they are to be called again.
pub const FOREIGN_PENDING: i32 = BODY_PENDING;
/// What they return at the end.
pub const FOREIGN_DONE: i32 = BODY_DONE;

/// What a foreign poll is given: which task it is, and how to wake it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ForeignContext {
    /// The task; it may be woken for ever.
    pub task: *const c_void,
    /// Asks that the task be polled.
    pub wake: unsafe extern "C" fn(*const c_void),
}

/// A body's state and functions.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ForeignBody {
    /// Handed to each function.
    pub state: *mut c_void,
    /// Polls.
    pub poll: unsafe extern "C" fn(*mut c_void, *const ForeignContext) -> i32,
    /// Stops an aborted task.
    pub drop: unsafe extern "C" fn(*mut c_void) -> i32,
    /// Takes the memory back.
    pub release: unsafe extern "C" fn(*mut c_void),
}

/// What a foreign task gives: nothing, but that it has ended.
pub type ForeignTask = JoinHandle<()>;

unsafe extern "C" fn wake(task: *const c_void) {
    TaskRef(task.cast()).wake();
}

impl<const N: usize, const K: usize> TaskTable<N, K> {
    /// Starts a task whose body is not Rust.
    ///
    /// # Errors
    /// [`Reason`]; `release` is not called then.
    ///
    /// # Safety
    /// `body` and its functions stay valid until `release` was called, do not unwind, and keep FOREIGN-1's
    /// side: no more than one thread at a time is promised to them, so the state must be fit to be used and
    /// released by whatever thread runs the task.
    pub unsafe fn spawn_foreign(&'static self, body: NonNull<ForeignBody>) -> Result<ForeignTask, Reason> {
        let (claimed, worker) = self.claim()?;
        let task = claimed.task;
        // SAFETY: the vtable is a foreign body's, which stays until `release`.
        unsafe { claimed.publish(worker, const { &vtable::<K>() }, body.as_ptr().cast(), Holder::Join, 0) };
        Ok(JoinHandle::new(task, NonNull::dangling().as_ptr()))
    }
}

const fn vtable<const K: usize>() -> TaskVtable {
    TaskVtable {
        poll: poll::<K>,
        stop: stop::<K>,
        drop_output: nothing,
        release: release::<K>,
        body: 0,
        slots: K as u32,
        bytes: 0,
        busy: busy_beyond(K),
        context: ptr::null(),
        name: "foreign task",
    }
}

fn body<const K: usize>(header: *const Header) -> ForeignBody {
    // SAFETY: by the contract of `spawn_foreign`.
    unsafe { place_of::<K>(header).cast::<ForeignBody>().read() }
}

unsafe extern "C-unwind" fn poll<const K: usize>(header: *const Header) -> i32 {
    let body = body::<K>(header);
    let context = ForeignContext { task: header.cast(), wake };
    // SAFETY: by the contract of `spawn_foreign`, and FOREIGN-1.
    let step = unsafe { (body.poll)(body.state, &raw const context) };
    if step == FOREIGN_PENDING { BODY_PENDING } else { BODY_DONE }
}

unsafe extern "C-unwind" fn stop<const K: usize>(header: *const Header) -> i32 {
    let body = body::<K>(header);
    // SAFETY: as above.
    let step = unsafe { (body.drop)(body.state) };
    if step == FOREIGN_PENDING { BODY_PENDING } else { BODY_DONE }
}

unsafe extern "C-unwind" fn release<const K: usize>(header: *const Header) {
    let body = body::<K>(header);
    // SAFETY: FOREIGN-1: the last call.
    unsafe { (body.release)(body.state) };
    // SAFETY: the last step.
    unsafe { give_back::<K>(header) };
}
