//! How the threads of a pool sleep and are called, and what is caught of a panic.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use unboxed_core::blocking::Crew;

/// The panic of a job.
pub struct Panic(Mutex<Box<dyn Any + Send>>);

impl Panic {
    /// Goes on with the panic on this thread.
    pub fn resume(self) -> ! {
        resume_unwind(self.into_inner())
    }

    /// What the panic carries.
    pub fn into_inner(self) -> Box<dyn Any + Send> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        write!(f, "Panic({:?})", text.unwrap_or("a value that is no text"))
    }
}

/// What a pool's threads sleep on, and how many there are. All zeros, so that a pool lies in `.bss`.
#[derive(Debug)]
pub struct Threads {
    /// CREW-1.
    epoch: AtomicU32,
    /// See [`Life`].
    life: AtomicU32,
    counts: Mutex<Counts>,
    changed: Condvar,
}

/// CREW-2.
#[derive(Debug)]
pub(super) struct Counts {
    /// Threads that have not ended.
    pub alive: u32,
    /// Closes that have not returned (CREW-3).
    pub closing: u32,
}

/// A close from its beginning to its end (CREW-3).
pub(super) struct Closes<'a>(&'a Threads);

impl<'a> Closes<'a> {
    pub fn begin(threads: &'a Threads) -> Self {
        threads.counts().closing += 1;
        Self(threads)
    }
}

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        let mut counts = self.0.counts();
        counts.closing -= 1;
        self.0.set_life(Life::Closed);
    }
}

/// What became of the threads so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// The first job starts them.
    New,
    /// They run.
    Started,
    /// Only a start starts them again.
    Closed,
}

impl Threads {
    pub(super) const fn new() -> Self {
        Self {
            epoch: AtomicU32::new(0),
            life: AtomicU32::new(Life::New as u32),
            counts: Mutex::new(Counts { alive: 0, closing: 0 }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn life(&self) -> Life {
        match self.life.load(Ordering::Acquire) {
            0 => Life::New,
            1 => Life::Started,
            _ => Life::Closed,
        }
    }

    pub(super) fn set_life(&self, life: Life) {
        self.life.store(life as u32, Ordering::Release);
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Sleeps unless there was a call since `seen` was read.
    pub(super) fn sleep(&self, seen: u32) {
        // SAFETY: the word lies in a static; an error means to look again, as does everything else.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.epoch.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                seen,
                ptr::null::<libc::timespec>(),
            )
        };
    }

    fn wake(&self, threads: i32) {
        self.epoch.fetch_add(1, Ordering::Release);
        // SAFETY: as above.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.epoch.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                threads,
            )
        };
    }

    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_ended(&self) {
        self.counts().alive -= 1;
        self.changed.notify_all();
    }

    /// Waits until all threads have ended, at most so long. Answers how many have not.
    pub(super) fn wait_for_end(&self, timeout: Duration) -> u32 {
        let until = Instant::now().checked_add(timeout);
        let mut counts = self.counts();
        while counts.alive > 0 {
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            (counts, _) = self.changed.wait_timeout(counts, left).unwrap_or_else(PoisonError::into_inner);
        }
        counts.alive
    }
}

impl Crew for Threads {
    type Payload = Panic;

    fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Panic> {
        catch_unwind(AssertUnwindSafe(f)).map_err(|payload| Panic(Mutex::new(payload)))
    }

    fn call(&self) {
        self.wake(1);
    }

    fn call_all(&self) {
        self.wake(i32::MAX);
    }
}
