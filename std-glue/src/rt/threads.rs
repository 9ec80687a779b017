//! The threads of the workers beside the calling one: how they start, run and end.
//!
//! THREADS-1: `crew` counts the threads of one start of its cell; each counts itself in once, as running or as
//! ended, and the cell is started again only after all have ended.

use super::seat::Seat;
use super::{StartError, TableGuard};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use unboxed_core::exec::{Budget, CloseReport, WORKERS_MAX};
use unboxed_core::file::TableControl;

/// What a worker's thread ends with.
pub(super) type Ended = Result<CloseReport, StartError>;

/// How many threads of a cell run, and how many have ended. All zeros, so that its cell lies in `.bss`.
#[derive(Debug)]
pub(super) struct Crew {
    counts: Mutex<Counts>,
    changed: Condvar,
    timeout_ns: AtomicU64,
}

#[derive(Debug)]
struct Counts {
    running: u32,
    ended: u32,
}

impl Crew {
    pub const fn new() -> Self {
        Self {
            counts: Mutex::new(Counts { running: 0, ended: 0 }),
            changed: Condvar::new(),
            timeout_ns: AtomicU64::new(0),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new start, whose threads close within `timeout_ns` unless they are told otherwise.
    pub fn begin(&self, timeout_ns: u64) {
        *self.counts() = Counts { running: 0, ended: 0 };
        self.timeout_ns.store(timeout_ns, Ordering::Release);
    }

    /// How long a close may take from now on.
    pub fn set_timeout(&self, timeout_ns: u64) {
        self.timeout_ns.store(timeout_ns, Ordering::Release);
    }

    fn is_running(&self) {
        self.counts().running += 1;
        self.changed.notify_all();
    }

    fn has_ended(&self) {
        self.counts().ended += 1;
        self.changed.notify_all();
    }

    /// Waits until so many have counted themselves in; false when one of them has ended.
    pub fn wait_for_start(&self, threads: u32) -> bool {
        let mut counts = self.counts();
        while counts.ended == 0 && counts.running < threads {
            counts = self.changed.wait(counts).unwrap_or_else(PoisonError::into_inner);
        }
        counts.ended == 0
    }

    /// Waits until so many have ended, at most so long. Answers how many have not.
    fn wait_for_end(&self, threads: u32, timeout: Duration) -> u32 {
        let until = Instant::now().checked_add(timeout);
        let mut counts = self.counts();
        while counts.ended < threads {
            let Some(until) = until else {
                counts = self.changed.wait(counts).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (counts, _) = self.changed.wait_timeout(counts, left).unwrap_or_else(PoisonError::into_inner);
        }
        threads - counts.ended
    }

    /// The life of a worker's thread: takes its seat, turns until a close is asked for, and closes.
    pub fn work(
        &self,
        table: &'static TableControl,
        seat: impl FnOnce() -> Result<Seat, StartError>,
    ) -> Ended {
        struct Leaves<'a>(&'a Crew);
        impl Drop for Leaves<'_> {
            fn drop(&mut self) {
                self.0.has_ended();
            }
        }
        let _leaves = Leaves(self);
        let mut seat = seat()?;
        self.is_running();
        let _table = TableGuard::enter(table);
        while !seat.executor.is_closing() {
            // A task's panic ends that task: the panic hook has told it, and its JoinHandle will.
            let _ = catch_unwind(AssertUnwindSafe(|| seat.executor.turn(Budget::SLEEP)));
        }
        let timeout = Duration::from_nanos(self.timeout_ns.load(Ordering::Acquire));
        Ok(seat.close(timeout).unwrap_or_default())
    }
}

/// The threads of one start.
#[derive(Debug)]
pub(super) struct Threads {
    handles: [Option<JoinHandle<Ended>>; WORKERS_MAX],
    count: u32,
}

impl Threads {
    pub const fn new() -> Self {
        Self { handles: [const { None }; WORKERS_MAX], count: 0 }
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    /// Starts one more.
    ///
    /// # Errors
    /// What the system says.
    pub fn spawn(
        &mut self,
        name: String,
        run: impl FnOnce() -> Ended + Send + 'static,
    ) -> std::io::Result<()> {
        // Threads inherit the mask.
        let blocked = SignalsBlocked::new();
        let handle = Builder::new().name(name).spawn(run);
        drop(blocked);
        let handle = handle?;
        self.handles[self.count as usize] = Some(handle);
        self.count += 1;
        Ok(())
    }

    /// Waits for all of them, at most so long, and adds their reports up. The first error that one ended with
    /// comes beside the sum of the others.
    pub fn join(&mut self, crew: &Crew, timeout: Duration) -> (CloseReport, Option<StartError>) {
        let stuck = crew.wait_for_end(self.count, timeout);
        let mut sum = CloseReport { stuck, ..CloseReport::default() };
        let mut error = None;
        for handle in self.handles.iter_mut().filter_map(Option::take) {
            // One that is stuck goes on alone.
            if stuck > 0 && !handle.is_finished() {
                continue;
            }
            match handle.join() {
                Ok(Ok(report)) => {
                    sum.aborted += report.aborted;
                    sum.detached += report.detached;
                }
                Ok(Err(refused)) => error = error.or(Some(refused)),
                // A body's drop panicked while the worker closed, twice: its storage is not used again.
                Err(_) => sum.stuck += 1,
            }
        }
        self.count = 0;
        (sum, error)
    }
}

/// Whether the storage of a runtime that closed so is free: nobody touches it any more.
pub(super) fn leaves_nothing(report: &CloseReport) -> bool {
    report.detached == 0 && report.stuck == 0
}

/// THREADS-2: signals are for the program's own threads, so a worker's takes none, but those that a task asks for there
/// (`signal`); else one that a descriptor waits for, and that only its owner's thread has blocked, would end the process
/// here.
pub(crate) struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    pub fn new() -> Self {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: both sets are written before they are read. What a fault of the thread's own raises cannot be
        // put off, and stays.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            for fault in
                [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGPROF]
            {
                libc::sigdelset(all.as_mut_ptr(), fault);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn ends(crew: &'static Crew, ended: Ended) -> impl FnOnce() -> Ended + Send {
        move || {
            crew.has_ended();
            ended
        }
    }

    #[test]
    fn an_error_hides_neither_what_is_detached_nor_who_is_stuck() {
        static CREW: Crew = Crew::new();
        let (go, waits) = channel::<()>();
        let mut threads = Threads::new();
        let report = CloseReport { detached: 3, ..CloseReport::default() };
        threads.spawn("refused".into(), ends(&CREW, Err(StartError::InUse))).unwrap();
        threads.spawn("detached".into(), ends(&CREW, Ok(report))).unwrap();
        threads
            .spawn("stuck".into(), move || {
                let _ = waits.recv();
                Ok(CloseReport::default())
            })
            .unwrap();
        // The two have ended before anyone looks whether they have.
        while threads.handles[..2].iter().flatten().any(|handle| !handle.is_finished()) {
            std::thread::yield_now();
        }
        let (sum, error) = threads.join(&CREW, Duration::from_millis(20));
        assert!(matches!(error, Some(StartError::InUse)));
        assert_eq!((sum.detached, sum.stuck), (3, 1));
        assert!(!leaves_nothing(&sum));
        drop(go);
    }
}
