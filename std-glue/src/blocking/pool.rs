//! A pool with its threads.

use super::crew::{Closes, Life, Threads};
use super::{Job, JobError, PoolClosed, Rejected, Reserve, Reserved, Why};
use crate::rt::{PoolCpus, SignalsBlocked};
use std::fmt;
use std::io;
use std::thread::Builder;
use std::time::Duration;
use unboxed_core::blocking::{JobPool, Step};
use unboxed_core::memory::{MapNode, Mapped, Row};

/// `THREADS` threads that run jobs, which lie in `PLACES` places of `BYTES` bytes each, for a `static`. Zero until
/// used, so that it lies in `.bss`.
///
/// The threads start with [`start`](Self::start), or with the first job.
///
/// ```
/// use unboxed::blocking::BlockingPool;
///
/// /// Four threads, sixteen jobs at a time, whose closures and outputs have up to 256 bytes.
/// static POOL: BlockingPool<4, 16, 256> = BlockingPool::new();
///
/// # fn block_on<F: std::future::Future>(f: F) -> F::Output {
/// #     let mut f = std::pin::pin!(f);
/// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(out) = f.as_mut().poll(&mut cx) { return out } }
/// # }
/// # block_on(async {
/// let job = POOL.submit(|| std::fs::metadata("/").map(|about| about.is_dir()));
/// let is_dir = job.expect("a free place").await.expect("no panic");
/// assert!(is_dir.expect("readable"));
/// # });
/// ```
///
/// A job, and its output, are checked against `BYTES` when the program is built:
///
/// ```compile_fail,E0080
/// use unboxed::blocking::BlockingPool;
/// static POOL: BlockingPool<1, 16, 64> = BlockingPool::new();
/// let large = [0u8; 65];
/// let _ = POOL.submit(move || large[0]);
/// ```
pub struct BlockingPool<const THREADS: usize, const PLACES: usize, const BYTES: usize> {
    jobs: JobPool<Threads, PLACES, BYTES>,
    node: MapNode,
}

/// How a pool was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolReport {
    /// Threads that were still inside a job when the time was up. They end after it; the job's place stays its own
    /// until then.
    pub stuck: u32,
}

/// What starts a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The program.
    Call,
    /// A job, if nothing has started or closed it before (CREW-3).
    FirstJob,
}

/// Why a pool's threads did not start.
#[derive(Debug)]
pub enum StartPoolError {
    /// It is started, or being closed, or threads of an earlier start have not ended: one is stuck in a job.
    InUse,
    /// The system refused a thread.
    Thread(io::Error),
}

impl fmt::Display for StartPoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str(
                "the pool is in use: it is started already, or threads of an earlier start are still inside a job",
            ),
            Self::Thread(error) => {
                write!(f, "a thread of the pool did not start: {error}: fewer threads, or a higher limit?")
            }
        }
    }
}

impl std::error::Error for StartPoolError {}

impl<const THREADS: usize, const PLACES: usize, const BYTES: usize> fmt::Debug
    for BlockingPool<THREADS, PLACES, BYTES>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockingPool({} of {THREADS} threads, {:?})", self.alive(), self.jobs)
    }
}

impl<const THREADS: usize, const PLACES: usize, const BYTES: usize> BlockingPool<THREADS, PLACES, BYTES> {
    /// A pool whose threads are not started.
    pub const fn new() -> Self {
        const { assert!(0 < THREADS && THREADS <= 1024, "a pool has 1 to 1024 threads") };
        Self { jobs: JobPool::new(Threads::new()), node: MapNode::new() }
    }

    /// Starts the threads now, and not with the first job; after a close, again. They are called `name-0` and so on;
    /// those that start with a job, `blocking-0`.
    ///
    /// # Errors
    /// [`StartPoolError`].
    ///
    /// # Panics
    /// When there is a zero byte in the name.
    pub fn start(&'static self, name: &str) -> Result<(), StartPoolError> {
        self.start_by(By::Call, name)
    }

    fn start_by(&'static self, by: By, name: &str) -> Result<(), StartPoolError> {
        let cpus = PoolCpus::any();
        self.start_with(by, name, move || cpus.bind())
    }

    /// The same, where each thread begins with `prepare`.
    pub(super) fn start_with(
        &'static self,
        by: By,
        name: &str,
        prepare: impl Fn() + Copy + Send + 'static,
    ) -> Result<(), StartPoolError> {
        self.node.show(self);
        assert!(!name.contains('\0'), "unboxed: a thread's name has no zero byte in it");
        let crew = self.jobs.crew();
        let mut counts = crew.counts();
        let was_new = crew.life() == Life::New;
        // CREW-3.
        if crew.life() == Life::Started
            || counts.alive > 0
            || counts.closing > 0
            || (by == By::FirstJob && !was_new)
        {
            return Err(StartPoolError::InUse);
        }
        self.jobs.open();
        crew.set_life(Life::Started);
        let blocked = SignalsBlocked::new();
        for index in 0..THREADS {
            counts.alive += 1;
            let thread = Builder::new().name(format!("{name}-{index}")).spawn(move || {
                prepare();
                self.work();
            });
            if let Err(error) = thread {
                counts.alive -= 1;
                crew.set_life(Life::Closed);
                drop(counts);
                drop(blocked);
                self.jobs.close();
                return Err(StartPoolError::Thread(error));
            }
        }
        Ok(())
    }

    /// The life of a thread.
    fn work(&self) {
        struct Ends<'a>(&'a Threads);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.has_ended();
            }
        }
        let crew = self.jobs.crew();
        let _ends = Ends(crew);
        let mut seat = self.jobs.seat();
        loop {
            let seen = crew.epoch();
            match seat.step() {
                Step::Ran => {}
                Step::Idle => crew.sleep(seen),
                Step::Closed => return,
            }
        }
    }

    /// Whether the first job has yet to start the threads.
    pub(super) fn is_new(&self) -> bool {
        self.jobs.crew().life() == Life::New
    }

    /// Starts the threads for a first job. What the system refuses then closes the pool: the job ends with
    /// [`Closed`](unboxed_core::blocking::JobError::Closed), the next ones are rejected.
    #[inline]
    fn start_with_a_job(&'static self) {
        if self.is_new() {
            let _ = self.start_by(By::FirstJob, "blocking");
        }
    }

    /// Queues a job.
    ///
    /// # Errors
    /// [`Rejected`], with the job, when all places are in use or the pool is closed.
    pub fn submit<F, T>(&'static self, job: F) -> Result<Job<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.start_with_a_job();
        self.jobs.submit(job)
    }

    /// Takes a place for a job that is made later.
    ///
    /// # Errors
    /// [`Why`] there is none.
    pub fn try_reserve(&'static self) -> Result<Reserved<BYTES>, Why> {
        self.start_with_a_job();
        self.jobs.try_reserve()
    }

    /// Waits for a place, first come, first served.
    pub fn reserve(&'static self) -> Reserve<PLACES, BYTES> {
        self.start_with_a_job();
        self.jobs.reserve()
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
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.reserve().await {
            Ok(place) => place.submit(job).await,
            Err(PoolClosed) => Err(JobError::Closed),
        }
    }

    /// Takes no more jobs, drops those that wait, and waits for those that run, at most `timeout`. Blocks; threads
    /// that are stuck then go on alone.
    pub fn close(&self, timeout: Duration) -> PoolReport {
        let crew = self.jobs.crew();
        // A waker's panic goes on from here; the pool is as closed then.
        let _closing = Closes::begin(crew);
        self.jobs.close();
        PoolReport { stuck: crew.wait_for_end(timeout) }
    }

    /// Places in use, jobs that wait, and jobs that run.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.jobs.counts()
    }

    /// Threads that have not ended.
    pub fn alive(&self) -> u32 {
        self.jobs.crew().counts().alive
    }
}

impl<const THREADS: usize, const PLACES: usize, const BYTES: usize> Mapped
    for BlockingPool<THREADS, PLACES, BYTES>
{
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let piece_bytes = JobPool::<Threads, PLACES, BYTES>::PLACE_BYTES;
        tell(Row {
            kind: "jobs",
            name: "",
            address: std::ptr::from_ref(self).addr(),
            pieces: PLACES,
            piece_bytes,
            beside: size_of::<Self>() - PLACES * piece_bytes,
            used: self.counts().0,
            used_max: self.jobs.used_max(),
        });
    }
}

impl<const THREADS: usize, const PLACES: usize, const BYTES: usize> Default
    for BlockingPool<THREADS, PLACES, BYTES>
{
    fn default() -> Self {
        Self::new()
    }
}
