//! What becomes of a job that gave no output.

use core::fmt;

/// Why a job gave no output. `P` is what the port catches of a panic.
#[derive(Debug)]
pub enum JobError<P> {
    /// It was cancelled before a thread took it, or detached while one ran it.
    Cancelled,
    /// Its pool was closed before a thread took it.
    Closed,
    /// It panicked, with this.
    Panicked(P),
}

impl<P> fmt::Display for JobError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "the job was cancelled",
            Self::Closed => "the pool of threads was closed before it took the job",
            Self::Panicked(_) => "the job panicked",
        })
    }
}

impl<P: fmt::Debug> core::error::Error for JobError<P> {}

/// Why a pool did not take a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// All its places are in use.
    Full,
    /// It is closed.
    Closed,
}

/// A job that was not taken, handed back.
pub struct Rejected<F> {
    /// The job.
    pub job: F,
    /// Why.
    pub why: Why,
    /// How many places the pool has.
    pub places: usize,
}

impl<F> fmt::Debug for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("why", &self.why)
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Display for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Full => write!(
                f,
                "all {} places of the pool hold jobs: give it more, or wait for one with `reserve`",
                self.places
            ),
            Why::Closed => PoolClosed.fmt(f),
        }
    }
}

impl<F> core::error::Error for Rejected<F> {}

/// The pool is closed, and takes no jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolClosed;

impl fmt::Display for PoolClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool of threads is closed, and takes no jobs")
    }
}

impl core::error::Error for PoolClosed {}
