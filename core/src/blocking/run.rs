//! A thread's side: take a job, run it, tell.

use super::place::{End, PlaceRef, Vtable};
use super::pool::Crew;
use super::state::{GivesBack, Shared, quietly};

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It ran a job.
    Ran,
    /// There was none: the thread sleeps until it is [called](Crew::call), or looks again when it likes.
    Idle,
    /// The pool is closed, and no job waits.
    Closed,
}

/// One thread's place at a pool. It counts as sleeping from a step that found nothing until the next one, or
/// until it is dropped.
pub struct Seat<'a, C: Crew> {
    shared: &'a Shared<C>,
    sleeping: bool,
}

impl<C: Crew> core::fmt::Debug for Seat<'_, C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Seat").field("sleeping", &self.sleeping).finish_non_exhaustive()
    }
}

impl<'a, C: Crew> Seat<'a, C> {
    pub(super) fn new(shared: &'a Shared<C>) -> Self {
        Self { shared, sleeping: false }
    }

    /// Takes the oldest job and runs it here.
    pub fn step(&mut self) -> Step {
        match self.take() {
            Ok((place, vtable)) => {
                run(self.shared, place, vtable);
                Step::Ran
            }
            Err(step) => step,
        }
    }

    fn take(&mut self) -> Result<(PlaceRef, &'static Vtable), Step> {
        let was_sleeping = core::mem::replace(&mut self.sleeping, false);
        let (taken, sleeps) = self.shared.guarded.with(|inner| {
            let state = &mut inner.state;
            if was_sleeping {
                state.sleeping -= 1;
                state.calls = state.calls.saturating_sub(1);
            }
            match state.pop() {
                Some(place) => {
                    state.running += 1;
                    // SAFETY: JOB-1; a queued place has one.
                    let vtable = unsafe { place.head().with(|head| head.vtable) };
                    (vtable.map(|vtable| (place, vtable)).ok_or(Step::Closed), false)
                }
                None if state.closed => (Err(Step::Closed), false),
                None => {
                    // JOB-4.
                    state.sleeping += 1;
                    (Err(Step::Idle), true)
                }
            }
        });
        self.sleeping = sleeps;
        taken
    }

    /// A seeded bug: looks, and counts itself as sleeping in another hold of the lock.
    #[cfg(all(test, loom))]
    pub fn step_counting_late(&mut self) -> Step {
        if self.shared.guarded.with(|inner| inner.state.queued == 0) {
            self.sleeping = true;
            self.shared.guarded.with(|inner| inner.state.sleeping += 1);
            return Step::Idle;
        }
        self.step()
    }

    /// A seeded bug: asks whether somebody holds the job, and ends it in another hold of the lock.
    #[cfg(all(test, loom))]
    pub fn step_ending_by_look(&mut self) -> Step {
        let Ok((place, vtable)) = self.take() else { return Step::Idle };
        // SAFETY: JOB-2; JOB-1.
        let end = unsafe { place.with_body(|body| (vtable.run)(body)) };
        // SAFETY: JOB-1.
        let held = self.shared.guarded.with(|_| unsafe { place.head().with(|head| head.held) });
        if held {
            self.shared.end(place, end);
        } else {
            discard(self.shared, place, vtable, end);
        }
        Step::Ran
    }
}

impl<C: Crew> Drop for Seat<'_, C> {
    fn drop(&mut self) {
        if self.sleeping {
            self.shared.guarded.with(|inner| {
                inner.state.sleeping -= 1;
                inner.state.calls = inner.state.calls.min(inner.state.sleeping);
            });
        }
    }
}

fn run<C: Crew>(shared: &Shared<C>, place: PlaceRef, vtable: &'static Vtable) {
    // SAFETY: JOB-2: taken out of the queue, and a job lies there.
    let end = unsafe {
        place.with_body(|body| {
            let contract = NoUnwinding;
            let end = (vtable.run)(body);
            core::mem::forget(contract);
            end
        })
    };
    if !shared.end(place, end) {
        discard(shared, place, vtable, end);
    }
}

/// Nobody holds the job any more: what came of it is dropped here, and the place is free.
fn discard<C: Crew>(shared: &Shared<C>, place: PlaceRef, vtable: &'static Vtable, end: End) {
    let _back = GivesBack(shared, place);
    // SAFETY: JOB-2 and JOB-3: no holder, so what lies there is ours.
    quietly::<C>(|| unsafe { place.with_body(|body| drop_end(vtable, end, body)) });
}

/// # Safety
/// JOB-2, and what `end` says lies there.
pub(super) unsafe fn drop_end(vtable: &'static Vtable, end: End, body: *mut u8) {
    let drop_it = match end {
        End::Output => vtable.drop_output,
        End::Panicked => vtable.drop_payload,
        End::Cancelled | End::Closed => return,
    };
    // SAFETY: by this function's contract.
    unsafe { drop_it(body) };
}

/// [`Crew::catch`] lets nothing through; else the place would be nobody's, and the process ends here instead.
struct NoUnwinding;

impl Drop for NoUnwinding {
    fn drop(&mut self) {
        panic!("unboxed: a port's `Crew::catch` let a panic through");
    }
}

/// Ends every queued job of a closed pool (JOB-5).
pub(super) fn refuse_all<C: Crew>(shared: &Shared<C>) {
    loop {
        let taken = shared.guarded.with(|inner| {
            let place = inner.state.pop()?;
            inner.state.running += 1;
            // SAFETY: JOB-1.
            unsafe { place.head().with(|head| head.vtable) }.map(|vtable| (place, vtable))
        });
        let Some((place, vtable)) = taken else { return };
        // SAFETY: JOB-2: taken out of the queue, and a job lies there.
        quietly::<C>(|| unsafe { place.with_body(|body| (vtable.drop_job)(body)) });
        if !shared.end(place, End::Closed) {
            shared.give_back(place);
        }
    }
}
