//! What a pool's lock guards beside the places' heads, and every step of a place (JOB-1).

use super::place::{End, Head, Phase, PlaceRef, Vtable};
use super::pool::Crew;
use crate::sync::{Guarded, Inner, Tasks};
use core::ptr;
use core::task::Waker;

/// The answer to one who waits for a place: it lies in `handed`.
pub(super) const HANDED: u32 = 0;
/// The same: there will be none.
pub(super) const CLOSED: u32 = 1;

/// See the module.
pub(super) struct State {
    /// Free places that have been used, linked by `next`.
    free: *const Head,
    /// Places that belong to waiters that were served, and have not looked yet.
    handed: *const Head,
    /// So many places have been used.
    pub fresh: usize,
    /// Places that are not free.
    pub used: usize,
    first: *const Head,
    last: *const Head,
    pub queued: usize,
    pub running: usize,
    /// Threads that sleep, and how many of them were called (JOB-4).
    pub sleeping: usize,
    pub calls: usize,
    pub closed: bool,
}

// SAFETY: JOB-1: the pointers are to places of the pool.
unsafe impl Send for State {}

impl State {
    pub const fn new() -> Self {
        Self {
            free: ptr::null(),
            handed: ptr::null(),
            fresh: 0,
            used: 0,
            first: ptr::null(),
            last: ptr::null(),
            queued: 0,
            running: 0,
            sleeping: 0,
            calls: 0,
            closed: false,
        }
    }

    /// A free place, RESERVED now. `fresh` gives the one with that number, if there is one.
    pub fn take_free(&mut self, fresh: impl FnOnce(usize) -> Option<PlaceRef>) -> Option<PlaceRef> {
        let place = if self.free.is_null() {
            let place = fresh(self.fresh)?;
            self.fresh += 1;
            place
        } else {
            let place = PlaceRef(self.free);
            self.free = next_of(place);
            place
        };
        self.used += 1;
        set_phase(place, Phase::Reserved);
        Some(place)
    }

    /// A place that nobody uses any more: to one who waits for it, who is woken by what comes back, or free.
    pub fn give_back(inner: &mut Inner<Self>, place: PlaceRef) -> Option<Waker> {
        let waker = inner.list.serve(HANDED);
        let state = &mut inner.state;
        let (phase, list) = match waker {
            Some(_) => (Phase::Reserved, &mut state.handed),
            None => {
                state.used -= 1;
                (Phase::Free, &mut state.free)
            }
        };
        let next = core::mem::replace(list, place.0);
        // SAFETY: JOB-1.
        unsafe {
            place.head().with(|head| {
                head.phase = phase;
                head.held = false;
                head.vtable = None;
                head.next = next;
            });
        }
        waker
    }

    /// The place of one who was served.
    pub fn take_handed(&mut self) -> Option<PlaceRef> {
        let place = (!self.handed.is_null()).then_some(PlaceRef(self.handed))?;
        self.handed = next_of(place);
        Some(place)
    }

    /// RESERVED to QUEUED; true when a sleeping thread must be called (JOB-4).
    pub fn push(&mut self, place: PlaceRef, vtable: &'static Vtable) -> bool {
        let last = core::mem::replace(&mut self.last, place.0);
        // SAFETY: JOB-1.
        unsafe {
            place.head().with(|head| {
                head.phase = Phase::Queued;
                head.held = true;
                head.vtable = Some(vtable);
                head.previous = last;
                head.next = ptr::null();
            });
            match last.as_ref() {
                Some(last) => last.with(|last| last.next = place.0),
                None => self.first = place.0,
            }
        }
        self.queued += 1;
        let call = self.sleeping > self.calls;
        self.calls += usize::from(call);
        call
    }

    /// QUEUED to RUNNING: the caller's, for a thread, for a close, or for a cancel.
    pub fn unlink(&mut self, place: PlaceRef) {
        // SAFETY: JOB-1.
        unsafe {
            let (previous, next) = place.head().with(|head| {
                assert!(
                    head.phase == Phase::Queued,
                    "unboxed: a job is not in the queue that it is taken from"
                );
                head.phase = Phase::Running;
                (head.previous, head.next)
            });
            match previous.as_ref() {
                Some(previous) => previous.with(|previous| previous.next = next),
                None => self.first = next,
            }
            match next.as_ref() {
                Some(next) => next.with(|next| next.previous = previous),
                None => self.last = previous,
            }
        }
        self.queued -= 1;
    }

    /// The oldest job, RUNNING now.
    pub fn pop(&mut self) -> Option<PlaceRef> {
        let place = (!self.first.is_null()).then_some(PlaceRef(self.first))?;
        self.unlink(place);
        Some(place)
    }
}

fn next_of(place: PlaceRef) -> *const Head {
    // SAFETY: JOB-1.
    unsafe { place.head().with(|head| head.next) }
}

pub(super) fn set_phase(place: PlaceRef, phase: Phase) {
    // SAFETY: JOB-1.
    unsafe { place.head().with(|head| head.phase = phase) };
}

/// The part of a pool that does not know the size of its places.
pub(super) struct Shared<C> {
    pub crew: C,
    pub guarded: Guarded<Tasks, State>,
}

impl<C: Crew> Shared<C> {
    /// The body's owner is through with it: an end for the holder, or the place is nobody's. True when there is a
    /// holder; otherwise what lies in the body is still the caller's, who [gives the place back](Self::give_back).
    pub fn end(&self, place: PlaceRef, end: End) -> bool {
        let (held, waker) = self.guarded.with(|inner| {
            inner.state.running -= 1;
            Self::end_under_lock(place, end)
        });
        wake::<C>(waker);
        held
    }

    /// For one who holds the lock.
    pub fn end_under_lock(place: PlaceRef, end: End) -> (bool, Option<Waker>) {
        // SAFETY: JOB-1.
        unsafe {
            place.head().with(|head| {
                if head.held {
                    head.phase = Phase::Ended(end);
                }
                (head.held, head.waker.take())
            })
        }
    }

    pub fn give_back(&self, place: PlaceRef) {
        let waker = self.guarded.with(|inner| State::give_back(inner, place));
        wake::<C>(waker);
    }
}

/// Gives a place back at the end of a scope, also when what lay there panicked while it was dropped.
pub(super) struct GivesBack<'a, C: Crew>(pub &'a Shared<C>, pub PlaceRef);

impl<C: Crew> Drop for GivesBack<'_, C> {
    fn drop(&mut self) {
        self.0.give_back(self.1);
    }
}

/// Foreign code, on a thread that others need.
fn wake<C: Crew>(waker: Option<Waker>) {
    if let Some(waker) = waker {
        quietly::<C>(|| waker.wake());
    }
}

/// Runs foreign code whose panic has nobody to go to.
pub(super) fn quietly<C: Crew>(f: impl FnOnce()) {
    if let Err(payload) = C::catch(f) {
        // Its drop may panic in turn; such a thing is left where it is.
        if let Err(again) = C::catch(|| drop(payload)) {
            core::mem::forget(again);
        }
    }
}
