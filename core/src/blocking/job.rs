//! The handle of a job, a future.

use super::error::JobError;
use super::place::{End, Phase, PlaceRef, Vtable};
use super::pool::Crew;
use super::run::drop_end;
use super::state::{GivesBack, Shared, set_phase};
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// What a cancel, by `timeout`, by `select` or by [`Operation::cancel`](crate::op::Operation::cancel), does with a job
/// that a thread runs already, and which nothing can take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfRunning {
    /// The cancel waits for its end, and gives the output.
    #[default]
    Await,
    /// The cancel ends at once; the job goes on, and its output is dropped.
    Detach,
}

/// Waits for a job.
///
/// # Errors
/// [`JobError`]: cancelled, closed, or the job's panic.
///
/// # Panics
/// When it is polled after its end.
///
/// # Cancel safety
/// Dropped, it takes a job that waits out of the queue and drops it here; one that runs goes on, and its output
/// is dropped. [`detach`](Self::detach) lets a waiting job run as well. Leaked, its job still runs, but the place
/// is never free again.
#[must_use = "a dropped Job is taken out of the queue; say `.detach()` if it is to run all the same"]
pub struct Job<T, C: Crew> {
    shared: &'static Shared<C>,
    /// None once it has ended.
    place: Option<PlaceRef>,
    if_running: IfRunning,
    /// A cancel has let a running job go.
    let_go: bool,
    output: PhantomData<fn() -> T>,
}

// SAFETY: JOB-2: the output, which is Send, is taken wherever the handle is.
unsafe impl<T: Send, C: Crew> Send for Job<T, C> {}
// SAFETY: a shared handle gives nothing but whether it has ended.
unsafe impl<T: Send, C: Crew> Sync for Job<T, C> {}

impl<T, C: Crew> fmt::Debug for Job<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("if_running", &self.if_running).finish_non_exhaustive()
    }
}

impl<T, C: Crew> Unpin for Job<T, C> {}

/// What the holder means to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Going {
    /// It cancels, and waits for a job that runs.
    Stay,
    /// It goes.
    Go,
    /// It goes, and the job is to run.
    LetRun,
}

/// What became of the job.
enum Left {
    /// It waited, and is out of the queue; the closure is the holder's.
    Waiting(&'static Vtable),
    /// It is its thread's (JOB-3).
    LetGo,
    /// It has ended.
    Ended(End, &'static Vtable),
    /// It runs, and is the holder's still.
    Held,
}

/// What a look under the lock found.
enum Found {
    Pending,
    Ended(End),
    /// Its waker must be cloned, which is foreign code.
    WantsWaker,
}

impl<T, C: Crew> Job<T, C> {
    pub(super) fn new(shared: &'static Shared<C>, place: PlaceRef) -> Self {
        Self { shared, place: Some(place), if_running: IfRunning::Await, let_go: false, output: PhantomData }
    }

    /// What a cancel does once a thread runs it.
    pub fn if_running(mut self, choice: IfRunning) -> Self {
        self.if_running = choice;
        self
    }

    /// Lets the job run on its own, whether it waits or runs; its output is dropped.
    pub fn detach(mut self) {
        if let Some(place) = self.place
            && matches!(self.leave(place, Going::LetRun), Left::LetGo)
        {
            self.place = None;
        }
    }

    /// Whether it has ended, so that a poll is ready.
    pub fn is_finished(&self) -> bool {
        // SAFETY: JOB-1.
        let ended =
            |place: PlaceRef| unsafe { place.head().with(|head| matches!(head.phase, Phase::Ended(_))) };
        self.place.is_none_or(|place| self.shared.guarded.with(|_| ended(place)))
    }

    /// Looks; leaves a waker if there is nothing yet. What it replaces comes back in `fresh`, for the caller to drop.
    fn look(&self, place: PlaceRef, cx: &Context<'_>, fresh: &mut Option<Waker>) -> Found {
        self.shared.guarded.with(|_| {
            // SAFETY: JOB-1.
            unsafe {
                place.head().with(|head| {
                    if let Phase::Ended(end) = head.phase {
                        return Found::Ended(end);
                    }
                    if head.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                        return Found::Pending;
                    }
                    match fresh.take() {
                        Some(waker) => {
                            *fresh = head.waker.replace(waker);
                            Found::Pending
                        }
                        None => Found::WantsWaker,
                    }
                })
            }
        })
    }

    /// The holder's one step against a thread's or a close's: takes a waiting job out of the queue, for the caller to
    /// drop, and leaves a running one to its thread, if the holder is going.
    fn leave(&self, place: PlaceRef, going: Going) -> Left {
        let (left, waker) = self.shared.guarded.with(|inner| {
            // SAFETY: JOB-1.
            let (phase, vtable) = unsafe { place.head().with(|head| (head.phase, head.vtable)) };
            let left = match (phase, vtable) {
                (Phase::Queued, Some(vtable)) if going != Going::LetRun => {
                    inner.state.unlink(place);
                    set_phase(place, Phase::Ended(End::Cancelled));
                    Left::Waiting(vtable)
                }
                (Phase::Queued | Phase::Running, _) if going != Going::Stay => Left::LetGo,
                (Phase::Ended(end), Some(vtable)) => Left::Ended(end, vtable),
                _ => Left::Held,
            };
            // SAFETY: JOB-1.
            let waker = unsafe {
                place.head().with(|head| {
                    head.held &= !matches!(left, Left::LetGo);
                    if matches!(left, Left::Held) { None } else { head.waker.take() }
                })
            };
            (left, waker)
        });
        drop(waker);
        left
    }

    /// A seeded bug: looks whether the job waits, and takes it back in another hold of the lock.
    #[cfg(all(test, loom))]
    pub fn take_back_by_look(&mut self) {
        let Some(place) = self.place else { return };
        // SAFETY: JOB-1.
        let phase = self.shared.guarded.with(|_| unsafe { place.head().with(|head| head.phase) });
        if phase == Phase::Queued {
            let vtable = self.shared.guarded.with(|inner| {
                inner.state.unlink(place);
                Shared::<C>::end_under_lock(place, End::Cancelled);
                // SAFETY: JOB-1.
                unsafe { place.head().with(|head| head.vtable) }
            });
            if let Some(vtable) = vtable {
                // SAFETY: JOB-2, which is broken here.
                unsafe { place.with_body(|body| (vtable.drop_job)(body)) };
            }
        }
    }
}

impl<T, C: Crew> Future for Job<T, C> {
    type Output = Result<T, JobError<C::Payload>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if core::mem::replace(&mut self.let_go, false) {
            return Poll::Ready(Err(JobError::Cancelled));
        }
        let place = self.place.expect("unboxed: a Job was polled after its end");
        let mut fresh = None;
        let end = loop {
            match self.look(place, cx, &mut fresh) {
                Found::Pending => return Poll::Pending,
                Found::Ended(end) => break end,
                Found::WantsWaker => fresh = Some(cx.waker().clone()),
            }
        };
        self.place = None;
        let _back = GivesBack(self.shared, place);
        // SAFETY: JOB-2: ended, so the holder's, who moves out what `end` says lies there.
        let output = unsafe {
            place.with_body(|body| match end {
                End::Output => Ok(body.cast::<T>().read()),
                End::Panicked => Err(JobError::Panicked(body.cast::<C::Payload>().read())),
                End::Cancelled => Err(JobError::Cancelled),
                End::Closed => Err(JobError::Closed),
            })
        };
        Poll::Ready(output)
    }
}

#[cfg(not(loom))]
impl<T, C: Crew> crate::op::Operation for Job<T, C> {
    fn request_cancel(mut self: Pin<&mut Self>, _: &mut Context<'_>) {
        let Some(place) = self.place else { return };
        let going = match self.if_running {
            IfRunning::Await => Going::Stay,
            IfRunning::Detach => Going::Go,
        };
        match self.leave(place, going) {
            // SAFETY: JOB-2: taken out of the queue by us, and a job lies there.
            Left::Waiting(vtable) => unsafe { place.with_body(|body| (vtable.drop_job)(body)) },
            Left::LetGo => {
                self.place = None;
                self.let_go = true;
            }
            Left::Ended(..) | Left::Held => {}
        }
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        matches!(output, Err(JobError::Cancelled))
    }
}

impl<T, C: Crew> Drop for Job<T, C> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        match self.leave(place, Going::Go) {
            Left::Waiting(vtable) => {
                let _back = GivesBack(self.shared, place);
                // SAFETY: JOB-2: taken out of the queue by us, and a job lies there.
                unsafe { place.with_body(|body| (vtable.drop_job)(body)) };
            }
            Left::Ended(end, vtable) => {
                let _back = GivesBack(self.shared, place);
                // SAFETY: JOB-2: ended, so the holder's.
                unsafe { place.with_body(|body| drop_end(vtable, end, body)) };
            }
            Left::LetGo | Left::Held => {}
        }
    }
}
