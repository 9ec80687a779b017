//! A runtime as other threads see it: where they may spawn.

use super::scheduler::{Scheduler, Spawning};
use super::stats::Stats;
use super::worker::{STARTED, Worker};
use crate::atomics::Ordering;
use crate::observe::Snapshot;
#[cfg(feature = "trace")]
use crate::observe::{Observation, TraceRing};

/// A handle to a runtime's workers, for spawning from any thread. It keeps nothing alive: when the runtime has
/// closed, spawns are refused.
#[derive(Debug, Clone, Copy)]
pub struct Remote {
    scheduler: &'static Scheduler,
    worker: Option<usize>,
}

/// Where a task from outside goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub worker: &'static Worker,
    pub pinned: bool,
}

impl Remote {
    pub(crate) fn new(scheduler: &'static Scheduler) -> Self {
        Self { scheduler, worker: None }
    }

    /// The same for one worker: what is spawned there stays there. None when there is no such worker.
    pub fn worker(self, index: usize) -> Option<Self> {
        (index < self.scheduler.count()).then_some(Self { worker: Some(index), ..self })
    }

    /// How many workers the runtime has.
    pub fn workers(&self) -> usize {
        self.scheduler.count()
    }

    /// The counters of one worker, if it has started.
    pub fn stats(&self, worker: usize) -> Option<&'static Stats> {
        if worker >= self.scheduler.count() {
            return None;
        }
        self.scheduler.worker(worker).map(|worker| &worker.stats)
    }

    /// Reads one worker's counters into the caller's memory, from any thread; false, and nothing is written, when it has
    /// not started.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::exec::Remote;
    /// use unboxed::observe::Snapshot;
    ///
    /// fn print(remote: &Remote) {
    ///     let mut seen = Snapshot::new();
    ///     for worker in 0..remote.workers() {
    ///         if remote.snapshot(worker, &mut seen) {
    ///             println!("{worker}: {} polls, {} operations in flight", seen.polls, seen.in_flight);
    ///         }
    ///     }
    /// }
    /// ```
    pub fn snapshot(&self, worker: usize, into: &mut Snapshot) -> bool {
        let found = (worker < self.scheduler.count()).then(|| self.scheduler.worker(worker)).flatten();
        if let Some(found) = found {
            found.read_into(worker, into);
        }
        found.is_some()
    }

    /// Observes the workers that have started, from any thread and at any time; none ends that. Histograms go on from
    /// where they were.
    ///
    /// False, and nothing is changed, when one of the buffers belongs to another worker.
    #[cfg(feature = "trace")]
    pub fn observe(&self, observation: Option<&'static Observation>) -> bool {
        let places = 0..self.scheduler.count();
        let workers = places.filter_map(|index| Some((index, self.scheduler.worker(index)?)));
        let claims = |observation: &Observation| {
            let claims = |ring: &TraceRing, worker| ring.claim(core::ptr::from_ref::<Worker>(worker).addr());
            workers
                .clone()
                .all(|(index, worker)| observation.rings[index].is_none_or(|ring| claims(ring, worker)))
        };
        let ours = observation.is_none_or(claims);
        if ours {
            workers.for_each(|(_, worker)| worker.observer.observe(observation));
        }
        ours
    }

    /// The poll that a worker is in now, from any thread: the task's name, and when it began on the observation's clock.
    /// None between polls, and where nothing is observed.
    #[cfg(feature = "trace")]
    pub fn polling(&self, worker: usize) -> Option<(&'static str, u64)> {
        (worker < self.scheduler.count()).then(|| self.scheduler.worker(worker))??.observer.polling()
    }

    /// Whether it takes spawns.
    pub fn is_open(&self) -> bool {
        !self.scheduler.is_closing()
    }

    /// Asks the runtime to close. Its threads do, soon; nobody waits here.
    pub fn request_close(&self) {
        self.scheduler.request_close();
    }

    /// Begins a spawn; none when the runtime takes no more.
    pub(crate) fn target(&self) -> Option<(Spawning, Target)> {
        let spawning = self.scheduler.begin_spawn()?;
        let worker = match self.worker {
            Some(index) => self.scheduler.worker(index),
            None => self.scheduler.next_worker(),
        }
        .filter(|worker| worker.life.load(Ordering::Acquire) == STARTED)?;
        let pinned = self.worker.is_some() || !self.scheduler.is_stealing();
        Some((spawning, Target { worker, pinned }))
    }
}
