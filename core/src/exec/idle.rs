//! What a worker does when it has nothing to do.
//!
//! A worker that spins looks at its loop, its inboxes, and, where tasks are shared, at the others. It does so
//! within its turn, a few looks at a time, and the turn returns although nothing was done: so whoever turns it
//! sees what only he knows, a close for one, and the next turn goes on. A spinning worker has not announced a
//! sleep, so nobody rings it. IDLE-1: it counts as a searcher only within a turn (SCHED-2), since nobody knows when
//! the next one comes. The clock is read once a turn. Each poll of a task begins the time
//! anew.

use super::worker::Worker;
use crate::event_loop::{Reaper, Wait};
use core::time::Duration;

/// What a worker does when no task is ready and nothing has completed.
///
/// Waking a sleeping thread costs its system about 20 us on the machine of the figures, and less than one where
/// both still spin; the price of spinning is a processor that does nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// It sleeps at once.
    Sleep,
    /// It looks around for so long, and sleeps then. No time at all is [`Sleep`](Self::Sleep).
    SpinFor(Duration),
    /// It never sleeps.
    Spin,
}

/// Looks of one turn.
const LOOKS: u32 = 16;
/// Pauses between two looks: together less than a microsecond.
const PAUSES: u32 = 16;
/// The first sleep beside a worker that is awake, and the longest (SHARE-3).
const WATCH_NS: core::ops::RangeInclusive<u64> = 1_000_000..=8_000_000;
/// [`Idle::Spin`] in nanoseconds.
const FOR_EVER: u64 = u64::MAX;

impl Idle {
    /// For how many nanoseconds it spins.
    pub(crate) fn spin_ns(self) -> u64 {
        match self {
            Self::Sleep => 0,
            Self::SpinFor(time) => u64::try_from(time.as_nanos()).unwrap_or(FOR_EVER),
            Self::Spin => FOR_EVER,
        }
    }
}

impl Worker {
    /// Looks around before a sleep, as the policy says. True when the turn must not sleep: there is something to do,
    /// or the time for looking is not over.
    #[inline]
    pub(super) fn spins(&'static self, reaper: &mut Reaper<'_>) -> bool {
        self.spin_ns.get() != 0 && self.spin(reaper)
    }

    /// SHARE-2: one of the others may be stuck.
    #[inline]
    pub(super) fn looks_again(&'static self) -> bool {
        let again = self.watches() && !self.scheduler().is_closing();
        if again {
            pause();
        }
        again
    }

    /// SHARE-3: until when a sleep that was announced may last, on the loop's clock. It looks behind the announcement, so
    /// that whatever is pushed later than this look either calls somebody or was left alone by a worker seen here, or by
    /// one that came back and called (SHARE-5). It goes on for the longest sleep beside one that is away, so that a thread
    /// that comes and goes does not call at each return.
    pub(super) fn watch_until(&'static self) -> u64 {
        let others = || self.scheduler().workers().filter(|worker| !core::ptr::eq(*worker, self));
        let awake = |worker: &Self| !worker.parker.is_sleeping() || !worker.ring.is_empty();
        if !others().any(awake) {
            return u64::MAX;
        }
        let rests = |worker: &Self| !awake(worker) || (!worker.is_at_work() && worker.ring.is_empty());
        let all_rest = || others().all(rests);
        if self.watch_ns.get() == *WATCH_NS.end()
            && all_rest()
            && self.scheduler().calls.leaves_unwatched(all_rest)
        {
            self.watch_ns.set(0);
            return u64::MAX;
        }
        let wait = (self.watch_ns.get() * 2).clamp(*WATCH_NS.start(), *WATCH_NS.end());
        self.watch_ns.set(wait);
        self.event_loop().now().saturating_add(wait)
    }

    #[cold]
    fn spin(&'static self, reaper: &mut Reaper<'_>) -> bool {
        let now = self.event_loop().now();
        let until = match self.spin_until.get() {
            0 => now.saturating_add(self.spin_ns.get()),
            until => until,
        };
        // A close sleeps: it waits for the system.
        if (now >= until && until != FOR_EVER) || self.scheduler().is_closing() {
            self.spin_until.set(0);
            return false;
        }
        self.spin_until.set(until);
        self.look_around(reaper);
        true
    }

    fn look_around(&'static self, reaper: &mut Reaper<'_>) {
        let event_loop = self.event_loop();
        let elsewhere = self.joins_search();
        for _ in 0..LOOKS {
            event_loop.turn(Wait::No, reaper);
            let found = reaper.reaped() > 0
                || !self.inbox.is_empty()
                || !self.posts.is_empty()
                || (elsewhere && self.take_from_others());
            if found {
                break;
            }
            pause();
        }
        if elsewhere {
            // IDLE-1.
            self.end_search();
        }
    }
}

/// Between two looks.
fn pause() {
    (0..PAUSES).for_each(|_| crate::atomics::relax());
}
