//! Who of a set of workers sleeps, who looks for work, and who is called.
//!
//! SCHED-2: `searching` counts workers that look for work elsewhere. One that finds some, or gives up, takes itself
//! off the count *before* it announces its sleep, and looks once more afterwards; so whoever pushes, fences, and
//! finds a searcher may leave it at that. The last one that goes calls the next if it sees more behind that step.
//! SCHED-3: `sleeping` counts announcements: it is raised before one and lowered after it, so a pusher that finds it zero
//! behind its fence was seen by every later look.
//! SHARE-5: a worker to which its thread may not come back soon is away: it says so behind its last push, with its ring
//! empty, and takes that back before the next one. Who sleeps without an end because all others are asleep or away says
//! so, and looks again behind a fence; who comes back says so, and behind a fence calls one such sleeper.

use super::park::Parker;
use crate::atomics::{AtomicBool, AtomicU32, Ordering, const_unless_loom, fence, fence_behind_step};

/// The workers, for one who calls.
pub(crate) trait Sleepers {
    /// Calls one that sleeps, and rings its bell (PARK-4); false when none does.
    fn call_one(&self) -> bool;
    /// Whether one sleeps that nobody has called.
    fn any_sleeps(&self) -> bool;
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(super) searching: AtomicU32,
    pub(super) sleeping: AtomicU32,
    /// Somebody sleeps without an end beside one that is away (SHARE-5).
    unwatched: AtomicBool,
}

impl Calls {
    const_unless_loom! {
        /// All are awake.
        pub fn new() -> Self {
            Self { searching: AtomicU32::new(0), sleeping: AtomicU32::new(0), unwatched: AtomicBool::new(false) }
        }
    }

    /// Something was pushed that another worker may take: calls one, unless one is looking already (SCHED-2).
    #[inline]
    pub fn notify(&self, sleepers: &impl Sleepers) {
        fence(Ordering::SeqCst);
        self.look(sleepers);
    }

    /// The same right behind a locked step of this thread that came after the push.
    #[inline]
    pub fn notify_behind_step(&self, sleepers: &impl Sleepers) {
        fence_behind_step();
        self.look(sleepers);
    }

    #[inline]
    fn look(&self, sleepers: &impl Sleepers) {
        if self.sleeping.load(Ordering::Relaxed) != 0 && self.searching.load(Ordering::Relaxed) == 0 {
            self.call(sleepers);
        }
    }

    #[cold]
    fn call(&self, sleepers: &impl Sleepers) {
        // Counted before it is called, so that it is the sleeper's to end whenever it wakes (PARK-4).
        while self.searching.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            if sleepers.call_one() {
                return;
            }
            // Who saw the count meanwhile relied on a search: look once more for a sleeper in its place.
            self.searching.fetch_sub(1, Ordering::AcqRel);
            fence(Ordering::SeqCst);
            if !sleepers.any_sleeps() {
                return;
            }
        }
    }

    /// Joins the searchers, of whom `workers` need no more than half as many; false when there are enough.
    pub fn begin_search(&self, workers: usize) -> bool {
        if self.searching.load(Ordering::Relaxed) as usize * 2 >= workers {
            return false;
        }
        self.searching.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// Leaves them. The last one that goes calls the next if there is `more`: others may have left theirs to this
    /// search. `more` looks behind the step, so it sees what they had pushed.
    pub fn end_search(&self, more: impl FnOnce() -> bool, sleepers: &impl Sleepers) {
        if self.searching.fetch_sub(1, Ordering::AcqRel) == 1 {
            fence(Ordering::SeqCst);
            if more() {
                self.notify(sleepers);
            }
        }
    }

    /// Announces a sleep; false when `idle` does not hold behind the announcement. Either way [`wake`](Self::wake)
    /// comes next (SCHED-3).
    #[must_use]
    pub fn sleep(&self, parker: &Parker, idle: impl FnOnce() -> bool) -> bool {
        self.sleeping.fetch_add(1, Ordering::AcqRel);
        parker.prepare(idle)
    }

    /// The sleep is over, whatever ended it; true when the worker was called, so that a search is its to end (PARK-4).
    #[must_use]
    pub fn wake(&self, parker: &Parker) -> bool {
        let called = parker.awake();
        self.sleeping.fetch_sub(1, Ordering::AcqRel);
        called
    }

    /// Whether a sleep that was announced may have no end beside workers that are away: `all_rest` looks once more
    /// (SHARE-5).
    #[must_use]
    pub fn leaves_unwatched(&self, all_rest: impl FnOnce() -> bool) -> bool {
        // Whoever sees this sees the announcement.
        self.unwatched.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        all_rest()
    }

    /// The worker of `at_work` is away no more: calls one that sleeps without an end, who then looks every few
    /// milliseconds (SHARE-5).
    pub fn come_back(&self, at_work: &AtomicBool, sleepers: &impl Sleepers) {
        at_work.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.unwatched.load(Ordering::Relaxed) && self.unwatched.swap(false, Ordering::Acquire) {
            self.notify(sleepers);
        }
    }
}
