//! From a worker's counters to a [`Snapshot`], on any thread.

use super::snapshot::Snapshot;
use crate::exec::Worker;

impl Worker {
    /// Writes every field.
    pub(crate) fn read_into(&self, worker: usize, into: &mut Snapshot) {
        let stats = &self.stats;
        let (in_flight, submitted) = (u64::from(self.in_flight.get()), stats.submitted.get());
        let (messages, doorbells) = (stats.messages.get(), stats.doorbells.get());
        *into = Snapshot {
            worker,
            polls: stats.polls.get(),
            submitted,
            completed: submitted.saturating_sub(in_flight),
            in_flight,
            orphaned: stats.orphaned.get(),
            starved: stats.starved.get(),
            spares_taken: stats.spares_taken.get(),
            stale_completions: stats.stale_completions.get(),
            panics: stats.panics.get(),
            stolen: stats.stolen.get(),
            spilled: stats.spilled.get(),
            sleeps: stats.sleeps.get(),
            messages,
            doorbells,
            doorbells_spared: messages.saturating_sub(doorbells),
            calls: stats.calls.get(),
            ring: self.ring.len() as u64,
            outside: self.scheduler().injector.len() as u64,
            ..Snapshot::new()
        };
        #[cfg(feature = "trace")]
        {
            let observer = &self.observer;
            observer.poll_ns.read(&mut into.poll_ns);
            observer.wait_ns.read(&mut into.wait_ns);
            into.slow_polls = observer.slow_polls.get();
            into.ready_max = u64::from(observer.ready_max.get());
            into.in_flight_max = u64::from(observer.in_flight_max.get());
        }
    }
}
