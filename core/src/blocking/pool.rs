//! The pool: places in the user's static, and what a port supplies.

use super::error::{PoolClosed, Rejected, Why};
use super::job::Job;
use super::place::{Head, Place, PlaceRef};
use super::reserve::{Reserve, Reserved};
use super::run::{Seat, refuse_all};
use super::state::{CLOSED, Shared, State};
use crate::sync::Guarded;
use core::fmt;

/// What a port supplies: how a panic is caught, and how a sleeping thread is called.
///
/// Its functions may be called from any thread and from within a task's poll; they must not block.
pub trait Crew: Sync + 'static {
    /// What is caught of a panic. It lies where the job lay, so it has the place's size and alignment at most:
    ///
    /// ```compile_fail,E0080
    /// # use unboxed_core as unboxed;
    /// use unboxed::blocking::{Crew, JobPool};
    ///
    /// #[repr(align(64))]
    /// struct Payload;
    /// struct Mine;
    ///
    /// impl Crew for Mine {
    ///     type Payload = Payload;
    ///     fn catch<R>(_: impl FnOnce() -> R) -> Result<R, Payload> {
    ///         Err(Payload)
    ///     }
    ///     fn call(&self) {}
    ///     fn call_all(&self) {}
    /// }
    ///
    /// static POOL: JobPool<Mine, 4, 64> = JobPool::new(Mine);
    /// let _ = POOL.submit(|| 1);
    /// ```
    type Payload: Send + 'static;

    /// Runs `f` and catches its panic. A port that cannot catch one does not return; a panic that leaves here ends
    /// the process.
    ///
    /// # Errors
    /// The panic.
    fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Self::Payload>;

    /// Makes one thread that sleeps after [`Step::Idle`](super::Step::Idle) step again; also one that is only about
    /// to fall asleep.
    fn call(&self);

    /// The same for all of them.
    fn call_all(&self);
}

/// `PLACES` jobs of at most `BYTES` bytes each, for a `static`. See the [room](self) for the rules; the `unboxed` crate
/// has one with threads.
///
/// A job's closure, its output, and the panic that the port catches lie in the place, one after the other.
pub struct JobPool<C: Crew, const PLACES: usize, const BYTES: usize> {
    pub(super) shared: Shared<C>,
    places: [Place<BYTES>; PLACES],
}

impl<C: Crew, const PLACES: usize, const BYTES: usize> fmt::Debug for JobPool<C, PLACES, BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, queued, running) = self.counts();
        write!(f, "JobPool({used} of {PLACES} in use, {queued} queued, {running} running)")
    }
}

impl<C: Crew, const PLACES: usize, const BYTES: usize> JobPool<C, PLACES, BYTES> {
    crate::atomics::const_unless_loom! {
        /// Open, and empty.
        pub fn new(crew: C) -> Self {
            #[cfg(not(loom))]
            let places = [const { Place::new() }; PLACES];
            #[cfg(loom)]
            let places = core::array::from_fn(|_| Place::new());
            Self { shared: Shared { crew, guarded: Guarded::new(State::new()) }, places }
        }
    }

    /// What the port supplied.
    pub fn crew(&self) -> &C {
        &self.shared.crew
    }

    /// Queues a job.
    ///
    /// A job, its output or its panic that is larger than `BYTES`, or aligned to more than 16, does not compile.
    ///
    /// # Errors
    /// [`Rejected`] with the job, when all places are in use, or the pool is closed.
    pub fn submit<F, T>(&'static self, job: F) -> Result<Job<T, C>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.try_reserve() {
            Ok(reserved) => Ok(reserved.submit(job)),
            Err(why) => Err(Rejected { job, why, places: PLACES }),
        }
    }

    /// Takes a place for a job that is made later.
    ///
    /// # Errors
    /// [`Why`] there is none.
    pub fn try_reserve(&'static self) -> Result<Reserved<C, BYTES>, Why> {
        self.shared
            .guarded
            .with(|inner| match inner.state.closed {
                true => Err(Why::Closed),
                false => self.take_free(&mut inner.state).ok_or(Why::Full),
            })
            .map(|place| Reserved::new(&self.shared, place))
    }

    pub(super) fn take_free(&'static self, state: &mut State) -> Option<PlaceRef> {
        state.take_free(|index| {
            let place: *const Place<BYTES> = self.places.get(index)?;
            Some(PlaceRef(place.cast::<Head>()))
        })
    }

    /// Waits for a place, first come, first served.
    pub fn reserve(&'static self) -> Reserve<C, PLACES, BYTES> {
        Reserve::new(self)
    }

    /// A thread's side.
    pub fn seat(&self) -> Seat<'_, C> {
        Seat::new(&self.shared)
    }

    /// Takes no more jobs, drops those that wait, whose holders get [`Closed`](super::JobError::Closed), and calls
    /// every thread. Jobs that run go on.
    pub fn close(&self) {
        self.shared.guarded.with(|inner| inner.state.closed = true);
        refuse_all(&self.shared);
        self.shared.guarded.serve(|_| (), |inner| inner.list.serve(CLOSED));
        self.shared.crew.call_all();
    }

    /// Takes jobs again after a close.
    pub fn open(&self) {
        self.shared.guarded.with(|inner| inner.state.closed = false);
    }

    /// Whether it takes jobs.
    ///
    /// # Errors
    /// [`PoolClosed`] when it does not.
    pub fn is_open(&self) -> Result<(), PoolClosed> {
        if self.shared.guarded.with(|inner| inner.state.closed) { Err(PoolClosed) } else { Ok(()) }
    }

    /// Bytes of a place, with what it is managed by.
    pub const PLACE_BYTES: usize = size_of::<Place<BYTES>>();

    /// The most places that were in use at once: a fresh one is taken only when no other is free.
    pub fn used_max(&self) -> usize {
        self.shared.guarded.with(|inner| inner.state.fresh)
    }

    /// Places in use, jobs that wait, and jobs that run.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.shared.guarded.with(|inner| (inner.state.used, inner.state.queued, inner.state.running))
    }
}
