//! Threads that compute: a pool whose threads give way to the workers, and slices of time for its jobs.

use super::pool::By;
use super::{BlockingPool, Job, JobError, PoolClosed, PoolReport, Rejected, StartPoolError};
use crate::rt::PoolCpus;
use std::cell::Cell;
use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How much nicer than its starter a thread is by default: beside it on a processor, a worker has some nine times its
/// time (each step is a factor of 1.25).
const NICER: u8 = 10;

/// A job that looks has this long before it is asked to let others go first.
const SLICE: Duration = Duration::from_millis(5);

/// `THREADS` threads that compute, with `PLACES` places for jobs of `BYTES` bytes each, for a `static`.
///
/// It is a [`BlockingPool`] in everything but this: its threads are nicer than the thread that starts them, by 10 unless
/// [`start`](Self::start) says otherwise; they run on any processor that the process may use, though the worker that
/// starts them be bound to one, but for those of kernel threads that take submissions
/// ([`SqPoll`](crate::rt::SqPoll)), as far as others are left; and their jobs get a [`Slice`].
///
/// The threads start with [`start`](Self::start), or with the first job; start the runtime before them, so that they
/// know whose processor to leave alone.
///
/// ```
/// use unboxed::blocking::CpuPool;
///
/// /// Two threads, sixteen jobs at a time, with up to 256 bytes.
/// static CPU: CpuPool<2, 16, 256> = CpuPool::new();
///
/// # static CELL: unboxed::rt::RuntimeCell<4> = unboxed::rt::RuntimeCell::new();
/// # let Ok(mut runtime) = CELL.start(unboxed::rt::Config::new()) else { return };
/// # runtime.block_on(async {
/// let job = CPU.spawn_cpu(|_slice| (1..=20u64).product::<u64>()).expect("a free place");
/// assert_eq!(job.await.expect("no panic"), 2_432_902_008_176_640_000);
/// # });
/// ```
pub struct CpuPool<const THREADS: usize, const PLACES: usize, const BYTES: usize> {
    pool: BlockingPool<THREADS, PLACES, BYTES>,
}

/// A running job's share of its thread. It stays within the job.
pub struct Slice {
    until: Cell<Instant>,
    pool: &'static dyn Queue,
}

/// What a slice asks its pool.
trait Queue {
    fn any_waits(&self) -> bool;
}

impl<const THREADS: usize, const PLACES: usize, const BYTES: usize> Queue
    for BlockingPool<THREADS, PLACES, BYTES>
{
    fn any_waits(&self) -> bool {
        self.counts().1 > 0
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slice({:?} left)", self.until.get().saturating_duration_since(Instant::now()))
    }
}

impl Slice {
    fn new(pool: &'static dyn Queue) -> Self {
        Self { until: Cell::new(Instant::now() + SLICE), pool }
    }

    /// Whether its 5 ms are over. Reads the clock.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until.get()
    }

    /// Whether they are over and another job waits for a thread: a job that can leave its rest to a later one should. With
    /// nobody waiting, the next slice begins.
    pub fn is_due(&self) -> bool {
        if !self.is_over() {
            return false;
        }
        let due = self.pool.any_waits();
        if !due {
            self.until.set(Instant::now() + SLICE);
        }
        due
    }
}

impl<const THREADS: usize, const PLACES: usize, const BYTES: usize> fmt::Debug
    for CpuPool<THREADS, PLACES, BYTES>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CpuPool").field(&self.pool).finish()
    }
}

impl<const THREADS: usize, const PLACES: usize, const BYTES: usize> CpuPool<THREADS, PLACES, BYTES> {
    /// A pool whose threads are not started.
    pub const fn new() -> Self {
        Self { pool: BlockingPool::new() }
    }

    /// Starts the threads now, and not with the first job; after a close, again. They are called `name-0` and so on
    /// (those that start with a job, `cpu-0`), and are `nicer` by so many steps than the calling thread, up to the
    /// system's last, 19. More niceness is never refused.
    ///
    /// # Errors
    /// [`StartPoolError`].
    ///
    /// # Panics
    /// When there is a zero byte in the name.
    pub fn start(&'static self, name: &str, nicer: u8) -> Result<(), StartPoolError> {
        self.start_by(By::Call, name, nicer)
    }

    fn start_by(&'static self, by: By, name: &str, nicer: u8) -> Result<(), StartPoolError> {
        let cpus = PoolCpus::for_computing();
        self.pool.start_with(by, name, move || {
            cpus.bind();
            be_nicer(nicer);
        })
    }

    /// What the system refuses closes the pool, as in [`BlockingPool`].
    #[inline]
    fn start_with_a_job(&'static self) {
        if self.pool.is_new() {
            let _ = self.start_by(By::FirstJob, "cpu", NICER);
        }
    }

    /// Queues a job that computes. Eight of the pool's `BYTES` are its slice's.
    ///
    /// # Errors
    /// [`Rejected`], with the job, when all places are in use or the pool is closed.
    pub fn spawn_cpu<F, T>(&'static self, job: F) -> Result<Job<T>, Rejected<F>>
    where
        F: FnOnce(&Slice) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.start_with_a_job();
        match self.pool.try_reserve() {
            Ok(place) => Ok(place.submit(move || job(&Slice::new(&self.pool)))),
            Err(why) => Err(Rejected { job, why, places: PLACES }),
        }
    }

    /// Waits for a place, runs the job, and gives its output.
    ///
    /// # Errors
    /// [`JobError`].
    ///
    /// # Cancel safety
    /// Dropped, it drops the job unless a thread runs it.
    pub async fn run<F, T>(&'static self, job: F) -> Result<T, JobError>
    where
        F: FnOnce(&Slice) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.start_with_a_job();
        match self.pool.reserve().await {
            Ok(place) => place.submit(move || job(&Slice::new(&self.pool))).await,
            Err(PoolClosed) => Err(JobError::Closed),
        }
    }

    /// Runs a long job in slices: calls `step` until it breaks with the output. Whenever 5 ms are over the rest goes to
    /// the end of the queue, so that short jobs wait for a slice and not for the whole, and the task that waits can
    /// end it. A step is short against that, and large against a look at the clock, 20 ns.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use unboxed::blocking::CpuPool;
    ///
    /// static CPU: CpuPool<1, 4, 128> = CpuPool::new();
    ///
    /// # static CELL: unboxed::rt::RuntimeCell<4> = unboxed::rt::RuntimeCell::new();
    /// # let Ok(mut runtime) = CELL.start(unboxed::rt::Config::new()) else { return };
    /// # runtime.block_on(async {
    /// let (mut number, mut sum) = (0u64, 0);
    /// let total = CPU.run_in_slices(move || {
    ///     for _ in 0..1000 {
    ///         number += 1;
    ///         sum += number;
    ///     }
    ///     if number < 1_000_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(sum) }
    /// });
    /// assert_eq!(total.await.expect("no panic"), 500_000_500_000);
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`JobError`]; a panic drops the step.
    ///
    /// # Cancel safety
    /// Dropped while a slice runs, it ends with that slice; the rest is dropped there.
    pub async fn run_in_slices<F, T>(&'static self, step: F) -> Result<T, JobError>
    where
        F: FnMut() -> ControlFlow<T> + Send + 'static,
        T: Send + 'static,
    {
        let mut step = step;
        loop {
            let slice = move |slice: &Slice| {
                let mut step = step;
                loop {
                    match step() {
                        ControlFlow::Break(output) => return ControlFlow::Break(output),
                        ControlFlow::Continue(()) if slice.is_over() => {
                            return ControlFlow::Continue(step);
                        }
                        ControlFlow::Continue(()) => {}
                    }
                }
            };
            match self.run(slice).await? {
                ControlFlow::Break(output) => return Ok(output),
                ControlFlow::Continue(rest) => step = rest,
            }
        }
    }

    /// As [`BlockingPool::close`].
    pub fn close(&self, timeout: Duration) -> PoolReport {
        self.pool.close(timeout)
    }

    /// Places in use, jobs that wait, and jobs that run.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.pool.counts()
    }

    /// Threads that have not ended.
    pub fn alive(&self) -> u32 {
        self.pool.alive()
    }
}

impl<const THREADS: usize, const PLACES: usize, const BYTES: usize> Default
    for CpuPool<THREADS, PLACES, BYTES>
{
    fn default() -> Self {
        Self::new()
    }
}

/// Adds to the calling thread's niceness. On Linux it is the thread's own, in spite of POSIX.
fn be_nicer(steps: u8) {
    // SAFETY: a number, and no memory. It stops at the last step by itself; more is never refused.
    unsafe { libc::nice(i32::from(steps)) };
}
