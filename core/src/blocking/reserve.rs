//! A place before its job: backpressure.

use super::error::PoolClosed;
use super::job::Job;
use super::place::{End, Phase, PlaceRef, Vtable};
use super::pool::{Crew, JobPool};
use super::state::{HANDED, Shared, State};
use crate::sync::{Inner, Left, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll};

/// A place that is yours. Dropped, it is free again.
#[must_use = "a dropped place is free again"]
pub struct Reserved<C: Crew, const BYTES: usize> {
    shared: &'static Shared<C>,
    place: PlaceRef,
}

// SAFETY: JOB-2: it names a place that is nobody else's.
unsafe impl<C: Crew, const BYTES: usize> Send for Reserved<C, BYTES> {}
// SAFETY: a shared one gives nothing.
unsafe impl<C: Crew, const BYTES: usize> Sync for Reserved<C, BYTES> {}

impl<C: Crew, const BYTES: usize> fmt::Debug for Reserved<C, BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reserved")
    }
}

impl<C: Crew, const BYTES: usize> Reserved<C, BYTES> {
    pub(super) fn new(shared: &'static Shared<C>, place: PlaceRef) -> Self {
        Self { shared, place }
    }

    /// Queues a job in this place. In a pool that was closed meanwhile it ends at once, as closed.
    pub fn submit<F, T>(self, job: F) -> Job<T, C>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        const {
            assert!(
                size_of::<F>() <= BYTES,
                "the job's closure is larger than the pool's places: box what it captures, or give the pool more BYTES"
            );
            assert!(
                size_of::<T>() <= BYTES,
                "the job's output is larger than the pool's places: box it, or give the pool more BYTES"
            );
            assert!(
                size_of::<C::Payload>() <= BYTES,
                "a caught panic is larger than the pool's places: give the pool more BYTES"
            );
            assert!(
                align_of::<F>() <= 16 && align_of::<T>() <= 16 && align_of::<C::Payload>() <= 16,
                "jobs, outputs and caught panics are aligned to 16 bytes at most"
            );
        }
        let (shared, place) = (self.shared, self.place);
        core::mem::forget(self);
        let vtable = const { &Vtable::of::<C, F, T>() };
        // SAFETY: JOB-2: reserved, so ours; it fits.
        unsafe { place.with_body(|body| body.cast::<F>().write(job)) };
        let queued = shared.guarded.with(|inner| {
            // JOB-5.
            (!inner.state.closed).then(|| inner.state.push(place, vtable))
        });
        let job = Job::new(shared, place);
        match queued {
            Some(true) => shared.crew.call(),
            Some(false) => {}
            None => refuse(shared, place, vtable),
        }
        job
    }

    /// A seeded bug: looks whether the pool is closed, and queues in another hold of the lock.
    #[cfg(all(test, loom))]
    pub fn submit_by_look<F, T>(self, job: F) -> Option<Job<T, C>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (shared, place) = (self.shared, self.place);
        if shared.guarded.with(|inner| inner.state.closed) {
            return None;
        }
        core::mem::forget(self);
        let vtable = const { &Vtable::of::<C, F, T>() };
        // SAFETY: JOB-2.
        unsafe { place.with_body(|body| body.cast::<F>().write(job)) };
        if shared.guarded.with(|inner| inner.state.push(place, vtable)) {
            shared.crew.call();
        }
        Some(Job::new(shared, place))
    }
}

/// The pool was closed: the job is dropped where it lies, and its holder, who has not looked yet, finds that.
#[cold]
fn refuse<C: Crew>(shared: &'static Shared<C>, place: PlaceRef, vtable: &'static Vtable) {
    shared.guarded.with(|_| {
        // SAFETY: JOB-1.
        unsafe {
            place.head().with(|head| {
                (head.phase, head.held, head.vtable) = (Phase::Ended(End::Closed), true, Some(vtable));
            });
        }
    });
    // SAFETY: JOB-2: no thread has seen it.
    unsafe { place.with_body(|body| (vtable.drop_job)(body)) };
}

impl<C: Crew, const BYTES: usize> Drop for Reserved<C, BYTES> {
    fn drop(&mut self) {
        self.shared.give_back(self.place);
    }
}

/// Waits for a place; see [`JobPool::reserve`].
///
/// # Errors
/// [`PoolClosed`].
///
/// # Cancel safety
/// Dropped, it leaves the queue, and a place that it was given goes to the next one.
#[must_use = "futures do nothing unless awaited"]
pub struct Reserve<C: Crew, const PLACES: usize, const BYTES: usize> {
    pool: &'static JobPool<C, PLACES, BYTES>,
    waiter: Waiter,
}

impl<C: Crew, const PLACES: usize, const BYTES: usize> fmt::Debug for Reserve<C, PLACES, BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reserve")
    }
}

impl<C: Crew, const PLACES: usize, const BYTES: usize> Reserve<C, PLACES, BYTES> {
    pub(super) fn new(pool: &'static JobPool<C, PLACES, BYTES>) -> Self {
        Self { pool, waiter: Waiter::new() }
    }
}

impl<C: Crew, const PLACES: usize, const BYTES: usize> Future for Reserve<C, PLACES, BYTES> {
    type Output = Result<Reserved<C, BYTES>, PoolClosed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        let pool = this.pool;
        let attempt = |inner: &mut Inner<State>, (): &mut ()| {
            if inner.state.closed {
                return Some(Err(PoolClosed));
            }
            // Nobody is overtaken: a place is free only while nobody waits.
            pool.take_free(&mut inner.state).map(Ok)
        };
        let served = |inner: &mut Inner<State>, (): &mut (), answer| match answer {
            HANDED => inner.state.take_handed().ok_or(PoolClosed),
            _ => Err(PoolClosed),
        };
        // SAFETY: WAIT-3: the waiter is pinned structurally.
        let waiter = unsafe { Pin::new_unchecked(&this.waiter) };
        waiter
            .poll_in(&pool.shared.guarded, Inner::list, cx, ptr::null(), &mut (), attempt, served)
            .map_ok(|place| Reserved::new(&pool.shared, place))
    }
}

impl<C: Crew, const PLACES: usize, const BYTES: usize> Drop for Reserve<C, PLACES, BYTES> {
    fn drop(&mut self) {
        self.waiter.leave(&self.pool.shared.guarded, |inner, left| {
            let place = (left == Left::Served(HANDED)).then(|| inner.state.take_handed()).flatten()?;
            State::give_back(inner, place)
        });
    }
}
