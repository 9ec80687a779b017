//! Waiting for a task, and ending it.
//!
//! JOIN-1: the runner and the one join handle of an activation hold one reference together, so the header and the output
//! stay. It is the handle's to give back if it finds the task done, and the runner's if done finds DETACHED; the other
//! one touches nothing of the block behind that, but as JOIN-3 says.
//! JOIN-2: the join cell belongs to the handle while JOIN_WAKER is clear; setting the bit lends it to the
//! runner, and everyone only reads it; a done that finds the bit makes it the runner's, which takes the waker out.
//! JOIN-3: a runner whose done has found JOIN_WAKER or `near`, and no DETACHED, sets `left` behind that taking: its last
//! access, with no foreign code before it. A handle that finds the task done with one of them waits for `left`, and clears it, before it
//! gives the reference back.
//! JOIN-4: `near` says that a waker lies in the cell without JOIN_WAKER, unless JOIN_FAR is set. The handle sets it on the
//! thread of a pinned task's home, where the task cannot end meanwhile; the runner reads it before done, and the waker
//! is the runner's if done finds no JOIN_FAR, as in JOIN-2 and JOIN-3. A handle on any other thread touches such a cell
//! only behind the step that sets JOIN_WAKER and JOIN_FAR, which stays, or as the one that has found the task done. Whoever
//! has the block behind done clears it, so it is clear in a free block.

use super::header::TaskRef;
use super::state::{DETACHED, JOIN_FAR, JOIN_WAKER, LIVE, NO_OUTPUT, PANICKED, is_pinned};
use super::{clone_waker, unref};
use crate::atomics::Ordering;
use crate::exec::current;
use crate::sync::rest_while;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::{self, MaybeUninit};
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, Waker};

/// Why a task gave no output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinError {
    /// It was aborted.
    Aborted,
    /// Its body panicked.
    Panicked,
}

impl core::fmt::Display for JoinError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Aborted => "the task was aborted",
            Self::Panicked => "the task's body panicked",
        })
    }
}

impl core::error::Error for JoinError {}

/// The owner of a task's output. Dropping it detaches: the task goes on, its output is dropped.
///
/// # Cancel safety
/// It is a future; polling it and dropping it instead only detaches.
#[derive(Debug)]
#[must_use = "a dropped JoinHandle detaches its task; say `.detach()` if that is meant"]
pub struct JoinHandle<T> {
    /// Null once the output is taken.
    task: *const super::header::Header,
    /// In the body, which lives as long as the handle's reference.
    output: *const T,
    owned: PhantomData<T>,
}

// SAFETY: JOIN-1; the handle takes or drops a `T` wherever it is.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: a shared handle gives out `&T`.
unsafe impl<T: Send + Sync> Sync for JoinHandle<T> {}
impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    pub(crate) fn new(task: TaskRef, output: *const T) -> Self {
        Self { task: task.0, output, owned: PhantomData }
    }

    #[inline]
    fn task(&self) -> TaskRef {
        assert!(!self.task.is_null(), "unboxed: a JoinHandle was used after it had given its output");
        TaskRef(self.task)
    }

    /// Asks the task to end without an output; its body is dropped on its own thread, soon.
    pub fn abort(&self) {
        self.task().abort();
    }

    /// A counted handle that can only abort.
    pub fn abort_handle(&self) -> AbortHandle {
        let task = self.task();
        task.header().refs.add(1);
        AbortHandle { task }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.task().header().state.load() & LIVE == 0
    }

    /// The output, where it lies; none while the task runs.
    ///
    /// # Errors
    /// [`JoinError`] when the task ended without one.
    pub fn peek(&self) -> Option<Result<&T, JoinError>> {
        let word = self.task().header().state.load();
        if word & LIVE != 0 {
            return None;
        }
        // SAFETY: BODY-1 and BODY-2: done, with an output, which is the handle's.
        Some(outcome(word).map(|()| unsafe { &*self.output }))
    }

    /// Lets the task go on alone.
    pub fn detach(self) {}

    fn take(&mut self, word: u32) -> Result<T, JoinError> {
        let task = TaskRef(mem::replace(&mut self.task, ptr::null()));
        wait_for_runner(task, word);
        // SAFETY: BODY-2; the handle has forgotten the task.
        let output = outcome(word).map(|()| unsafe { self.output.read() });
        unref(task);
        output
    }
}

/// JOIN-3, by the handle of a task that is done, with this word.
#[inline]
fn wait_for_runner(task: TaskRef, word: u32) {
    let core = task.core();
    if word & JOIN_WAKER != 0 || is_lent_near(task, word) {
        rest_while(|| !core.left.load(Ordering::Acquire));
        core.left.store(false, Ordering::Relaxed);
    }
    core.near.set(false);
}

/// Whether the task, which was LIVE in this word, runs on this very thread and nowhere else: so it does not end while the
/// caller looks at it (JOIN-4).
#[inline]
fn is_near(task: TaskRef, word: u32) -> bool {
    is_pinned(word) && ptr::eq(task.header().home.load(Ordering::Relaxed), current::worker())
}

/// Leaves a waker in the cell, or another one than before, without a step.
///
/// # Safety
/// JOIN-4: by the handle, of a task that is near and has neither JOIN_WAKER nor JOIN_FAR.
#[inline]
unsafe fn lend_near(task: TaskRef, waker: &Waker) {
    let core = task.core();
    let cell = core.join.get();
    // SAFETY: JOIN-4: a waker lies there while `near` is set.
    if core.near.get() && unsafe { (*cell).assume_init_ref() }.will_wake(waker) {
        return;
    }
    let waker = clone_waker(waker);
    // SAFETY: JOIN-4: nobody else looks at the cell meanwhile.
    let before = unsafe { mem::replace(&mut *cell, MaybeUninit::new(waker)) };
    if core.near.replace(true) {
        // SAFETY: as above; the cell has the new one already, whatever this one's drop does.
        drop(unsafe { before.assume_init() });
    }
}

/// Whether a waker lies in the cell by `near`.
#[inline]
fn is_lent_near(task: TaskRef, word: u32) -> bool {
    word & JOIN_FAR == 0 && task.core().near.get()
}

fn outcome(word: u32) -> Result<(), JoinError> {
    match word & (NO_OUTPUT | PANICKED) {
        0 => Ok(()),
        NO_OUTPUT => Err(JoinError::Aborted),
        _ => Err(JoinError::Panicked),
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.task();
        let state = &task.header().state;
        let mut word = state.load();
        if word & LIVE != 0 {
            if leave_waker(task, cx.waker()) {
                return Poll::Pending;
            }
            word = state.load();
        }
        Poll::Ready(self.take(word))
    }
}

/// Leaves a waker in the join cell, or another one than before; false when the task is done. By the handle. Not inlined, so
/// that the join of a task that is done stays small.
#[inline(never)]
fn leave_waker(task: TaskRef, waker: &Waker) -> bool {
    let state = &task.header().state;
    let cell = task.core().join.get();
    loop {
        let word = state.load();
        if word & LIVE == 0 {
            return false;
        }
        if word & JOIN_WAKER == 0 {
            if word & JOIN_FAR == 0 && is_near(task, word) {
                // SAFETY: JOIN-4: the task is LIVE, it is near, and both bits are clear.
                unsafe { lend_near(task, waker) };
                return true;
            }
            if is_lent_near(task, word) {
                if !state.set_join_far() {
                    return false;
                }
                continue;
            }
        } else {
            // SAFETY: JOIN-2: everyone only reads while the bit is set.
            if unsafe { (*cell).assume_init_ref() }.will_wake(waker) {
                return true;
            }
            if !state.clear_join_waker() {
                return false;
            }
            // SAFETY: JOIN-2: the cell is the handle's again.
            drop(unsafe { (*cell).assume_init_read() });
        }
        let waker = clone_waker(waker);
        // SAFETY: JOIN-2: the bit is clear.
        unsafe { (*cell).write(waker) };
        if state.set_join_waker() {
            return true;
        }
        // Done came first: the runner did not look at the cell.
        // SAFETY: JOIN-2.
        drop(unsafe { (*cell).assume_init_read() });
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if self.task.is_null() {
            return;
        }
        let task = TaskRef(self.task);
        let state = &task.header().state;
        let mut word = state.load();
        if word & LIVE != 0 {
            word = state.detach();
            debug_assert_eq!(word & DETACHED, 0);
        }
        if word & LIVE != 0 {
            // JOIN-1: the rest is the runner's.
            return;
        }
        wait_for_runner(task, word);
        let release = Release(task);
        if word & NO_OUTPUT == 0 {
            // SAFETY: BODY-2: done came first, so the output is the handle's.
            unsafe { self.output.cast_mut().drop_in_place() };
        }
        drop(release);
    }
}

/// Gives the reference back also when the output's drop panics.
struct Release(TaskRef);

impl Drop for Release {
    fn drop(&mut self) {
        unref(self.0);
    }
}

/// Aborts a task from anywhere; see [`JoinHandle::abort_handle`].
#[derive(Debug)]
pub struct AbortHandle {
    task: TaskRef,
}

impl AbortHandle {
    /// Takes over a reference.
    pub(crate) fn of(task: TaskRef) -> Self {
        Self { task }
    }

    /// As [`JoinHandle::abort`].
    pub fn abort(&self) {
        self.task.abort();
    }
}

impl Clone for AbortHandle {
    fn clone(&self) -> Self {
        self.task.header().refs.add(1);
        Self { task: self.task }
    }
}

impl Drop for AbortHandle {
    fn drop(&mut self) {
        unref(self.task);
    }
}
