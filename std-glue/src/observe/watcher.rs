//! A thread that looks, from outside, whether a worker's poll does not end.

use super::clock;
use crate::rt::SignalsBlocked;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use unboxed_core::exec::{Remote, WORKERS_MAX};

/// A poll that goes on for longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stuck {
    /// The task's name.
    pub task: &'static str,
    /// The worker on which it runs.
    pub worker: usize,
    /// For how long it has, in nanoseconds.
    pub ns: u64,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, worker, ns } = self;
        write!(f, "task `{task}` has kept worker {worker} for {} ms, and still does", ns / 1_000_000)
    }
}

/// Watches the workers of one runtime that are observed, until it is dropped.
///
/// It reports a poll *while* it goes on, once; what [`Observation::slow_polls`](super::Observation::slow_polls) reports comes
/// when the poll has ended. Its heap is what its start takes: the thread, as `std::thread` makes it, and what both sides share.
/// Nothing is allocated afterwards, unless the report does.
#[derive(Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, PartialEq)]
enum Life {
    Starts,
    Runs,
    Ends,
}

#[derive(Debug)]
struct Shared {
    life: Mutex<Life>,
    changed: Condvar,
}

impl Shared {
    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, life: Life) {
        *self.life() = life;
        self.changed.notify_all();
    }
}

impl Watcher {
    /// Looks four times in each `limit`, and gives each poll that has gone on for longer to `report`, on its own thread.
    /// `Stuck::print` is a report.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(remote: Remote, limit: Duration, report: fn(&Stuck)) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { life: Mutex::new(Life::Starts), changed: Condvar::new() });
        let watched =
            Watched { remote, limit_ns: u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX), report };
        let thread = {
            let (shared, every) = (shared.clone(), (limit / 4).max(Duration::from_micros(100)));
            // Signals are for the program's own threads (THREADS-2), and a thread inherits the mask.
            let blocked = SignalsBlocked::new();
            let run = move || watched.until(&shared, every);
            let thread = Builder::new().name("unboxed-watch".into()).spawn(run);
            drop(blocked);
            thread?
        };
        // What the thread takes from the heap, it has taken then.
        let mut life = shared.life();
        while *life == Life::Starts {
            life = shared.changed.wait(life).unwrap_or_else(PoisonError::into_inner);
        }
        drop(life);
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.set(Life::Ends);
        if let Some(thread) = self.thread.take() {
            // A report that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Stuck {
    /// Says so on the standard error, without an allocation.
    pub fn print(&self) {
        eprintln!("unboxed: {self}");
    }
}

struct Watched {
    remote: Remote,
    limit_ns: u64,
    report: fn(&Stuck),
}

impl Watched {
    fn until(&self, shared: &Shared, every: Duration) {
        let mut reported = [0; WORKERS_MAX];
        shared.set(Life::Runs);
        loop {
            let life = shared.life();
            let (life, _) = shared
                .changed
                .wait_timeout_while(life, every, |life| *life != Life::Ends)
                .unwrap_or_else(PoisonError::into_inner);
            if *life == Life::Ends {
                return;
            }
            drop(life);
            self.look(&mut reported);
        }
    }

    /// `reported` are the begins of polls that have been.
    fn look(&self, reported: &mut [u64; WORKERS_MAX]) {
        for (worker, reported) in reported.iter_mut().enumerate().take(self.remote.workers()) {
            let Some((task, since)) = self.remote.polling(worker) else { continue };
            let ns = clock().saturating_sub(since);
            if ns > self.limit_ns && *reported != since {
                *reported = since;
                (self.report)(&Stuck { task, worker, ns });
            }
        }
    }
}
