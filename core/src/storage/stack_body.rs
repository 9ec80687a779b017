//! A body on the stack, for a task of a scope.
//!
//! SCOPE-2: a body's fields are touched by the scope's thread before its publish and after its scope, and by its runner in
//! between, from whom to whom the task's word hands them over. `ended` is the runner's last look at the body and at its
//! scope, both of which may be gone behind the step by which it counts the body out; whom to wake it has read before,
//! and that one is static. So it works on raw places: a reference would have to be good until the function ends.

use super::live::{Links, Live};
use super::table::{give_back, nothing, place_of};
use crate::task::{BODY_DONE, Body, Header, JoinError, TaskRef, TaskVtable, busy_beyond};
use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::future::Future;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
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
    pub(super) stage: Cell<Stage>,
    /// The count of the scope that it was spawned in.
    pub(super) live: Cell<*const Live>,
    pub(super) links: Links,
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
            links: Links::new(),
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
    ///
    /// # Safety
    /// SCOPE-2: by the runner of its task, once, with its future gone.
    unsafe fn ended<const MOVES: bool>(this: *const Self, header: *const Header, stage: Stage) {
        // SAFETY: SCOPE-2: a scope waits for its bodies, until the count is lowered.
        unsafe {
            (*this).stage.set(stage);
            let live = (*this).live.get();
            if MOVES {
                (*this).links.runner_leaves(TaskRef(header));
                Live::lower_from_anywhere(live);
            } else {
                (*live).lower_here();
            }
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

impl<F: Future> StackBody<F> {
    pub(super) const fn vtable<const K: usize, const MOVES: bool>() -> TaskVtable {
        TaskVtable {
            poll: Self::poll::<K, MOVES>,
            stop: Self::stop::<K, MOVES>,
            drop_output: nothing,
            release: release::<K>,
            body: 0,
            slots: K as u32,
            bytes: 0,
            busy: busy_beyond(K),
            context: ptr::null(),
            name: "scoped task",
        }
    }

    fn of<const K: usize>(header: *const Header) -> *const Self {
        place_of::<K>(header).cast_const().cast()
    }

    unsafe extern "C-unwind" fn poll<const K: usize, const MOVES: bool>(header: *const Header) -> i32 {
        let this = Self::of::<K>(header);
        // SAFETY: SCOPE-2: called only while the body holds its future.
        unsafe { (*this).stage.set(Stage::Polled) };
        // The future's drop may panic once it is ready: then nobody stops it again.
        let gone = GoneWhilePolled::<F, MOVES> { this, header };
        // SAFETY: BODY-2, and SCOPE-2.
        let step = unsafe { Body::poll((*this).body.get(), header) };
        core::mem::forget(gone);
        if step == BODY_DONE {
            // SAFETY: SCOPE-2: it is ready, and its future dropped.
            unsafe { Self::ended::<MOVES>(this, header, Stage::Output) };
        } else {
            // SAFETY: SCOPE-2: it holds its future still.
            unsafe { (*this).stage.set(Stage::Future) };
        }
        step
    }

    unsafe extern "C-unwind" fn stop<const K: usize, const MOVES: bool>(header: *const Header) -> i32 {
        let this = Self::of::<K>(header);
        // SAFETY: SCOPE-2: called only while the body holds its future.
        let panicked = unsafe { (*this).stage.get() } == Stage::Polled;
        let error = if panicked { JoinError::Panicked } else { JoinError::Aborted };
        let ended = Ended::<F, MOVES> { this, header, error };
        // SAFETY: BODY-2, and SCOPE-2; a live task that starts has its future.
        unsafe { Body::drop_future((*this).body.get()) };
        drop(ended);
        BODY_DONE
    }
}

/// Counts a body as ended, also when its future's drop panics.
struct Ended<F: Future, const MOVES: bool> {
    this: *const StackBody<F>,
    header: *const Header,
    error: JoinError,
}

impl<F: Future, const MOVES: bool> Drop for Ended<F, MOVES> {
    fn drop(&mut self) {
        let stage = Stage::Ended(Some(self.error));
        // SAFETY: SCOPE-2: made by `stop`, around the drop of the future.
        unsafe { StackBody::ended::<MOVES>(self.this, self.header, stage) };
    }
}

/// A poll panicked: if the future is gone, the task will not be stopped, and the body has ended.
struct GoneWhilePolled<F: Future, const MOVES: bool> {
    this: *const StackBody<F>,
    header: *const Header,
}

impl<F: Future, const MOVES: bool> Drop for GoneWhilePolled<F, MOVES> {
    #[cold]
    fn drop(&mut self) {
        if TaskRef(self.header).header().state.load() & crate::task::state::BODY_GONE != 0 {
            let stage = Stage::Ended(Some(JoinError::Panicked));
            // SAFETY: SCOPE-2: the task's word says that the future is gone.
            unsafe { StackBody::ended::<MOVES>(self.this, self.header, stage) };
        }
    }
}

unsafe extern "C-unwind" fn release<const K: usize>(header: *const Header) {
    // SAFETY: the last step.
    unsafe { give_back::<K>(header) };
}
