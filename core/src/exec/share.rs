//! A worker's part in its scheduler: where ready tasks go, where the next one comes from, and whose it takes.
//!
//! A task that may move goes into the ring of whichever worker made it ready; the rest stays in the worker's own
//! list. There is no slot for "the next one": with a single task in the ring nobody is called and nobody steals,
//! so two tasks that talk to each other stay on one worker all the same, and no task jumps the line.
//!
//! SHARE-1: a worker that has called nobody since the ring held half as many tasks calls one when it holds two
//! or more; so does one that has called in this poll and finds its ring all but emptied; the called one calls the next
//! if it leaves something. SHARE-3: what a poll makes ready alone, one task, calls nobody; so a worker that falls asleep
//! beside one that is awake sleeps for some milliseconds only, and looks again, unless that one is away (SHARE-5, in
//! `calls.rs`). SHARE-2: a single task is taken only
//! from a worker that has started nothing for some looks of the thief's; a thief that has begun to count them does
//! not sleep before it knows. SHARE-4: at each start, right behind the step that starts, a worker that leaves two or
//! more in its ring looks whether somebody is to be called: so a task that goes back into the ring after its poll needs
//! no fence of its own.

use super::stats::count;
use super::worker::{SHARES, Worker};
use crate::atomics::Ordering;
use crate::queue::{Least, LocalQueue};
use crate::task::{TaskRef, state};
use core::ptr;

/// Tasks of the ring.
pub(crate) const RING: usize = 256;
/// With so many tasks in its ring a worker calls another one for the first time in a poll.
const ALONE: usize = 2;
/// So many tasks are started between two looks at what came from outside. A look is one load.
const OUTSIDE_EVERY: u32 = 8;
/// A worker that has tasks of its own takes at most so many then: those of the ones that it has started.
const OUTSIDE_SOME: usize = OUTSIDE_EVERY as usize;
/// After so many looks at a victim that does not move, its one task is taken.
const STUCK_LOOKS: u32 = 24;
/// At most so many are taken from outside at once.
const OUTSIDE_MOST: usize = RING / 2;

impl Worker {
    /// Whether tasks may leave this worker and come to it.
    #[inline]
    pub(crate) fn shares(&self) -> bool {
        self.ways.get() & SHARES != 0
    }

    /// Puts a task that a poll has just left ready behind the others; whoever is to be called is called at the next
    /// start (SHARE-4).
    #[inline]
    pub(crate) fn push_again(&'static self, task: TaskRef) {
        if task.header().state.load() & state::PINNED != 0 {
            self.queue.push(task);
        } else if self.ring.push(task.0).is_err() {
            self.spill(task);
        }
    }

    /// SHARE-4, right behind a start, which was a step of the task's word or only a look (STATE-7).
    #[inline]
    pub(crate) fn call_behind_start(&'static self, stepped: bool) {
        if self.ring.len() >= ALONE {
            if stepped {
                self.scheduler().notify_behind_step();
            } else {
                self.scheduler().notify();
            }
        }
    }

    /// SHARE-4, where no start follows.
    #[inline]
    pub(crate) fn call_for_rest(&'static self) {
        if self.ring.len() >= ALONE {
            self.scheduler().notify();
        }
    }

    /// Puts a ready task where it runs next, on this worker's thread.
    #[inline]
    pub(crate) fn push(&'static self, task: TaskRef) {
        match task.header().state.load() & state::KIND {
            0 => self.push_shared(task),
            state::PINNED => self.queue.push(task),
            kind => self.push_in_lane(task, kind),
        }
    }

    /// The same for a task that may move, on a worker that shares.
    #[inline(never)]
    pub(crate) fn push_shared(&'static self, task: TaskRef) {
        match self.ring.push(task.0) {
            Ok(len) if len < self.call_at.get() => {
                if len <= ALONE && self.call_at.get() > ALONE {
                    // Called in this poll, and what there was has been taken: they may all sleep again.
                    self.scheduler().notify();
                }
            }
            Ok(len) => {
                // SHARE-1.
                self.call_at.set(len * 2);
                self.scheduler().notify();
            }
            Err(_) => self.spill(task),
        }
    }

    /// Half of a full ring, and a task that came then, for everybody.
    #[cold]
    fn spill(&'static self, task: TaskRef) {
        count(&self.stats.spilled);
        let (tasks, mut len) = (LocalQueue::new(), 1);
        self.ring.spill(|task| {
            len += 1;
            tasks.push(TaskRef(task));
        });
        tasks.push(task);
        self.scheduler().inject_all(&tasks, len);
    }

    /// This worker's thread has something else to do: what may move is everybody's.
    pub(crate) fn hand_over(&'static self) {
        if !self.shares() {
            return;
        }
        let (tasks, mut len) = (LocalQueue::new(), 0);
        while let Some(task) = self.ring.pop() {
            tasks.push(TaskRef(task));
            len += 1;
        }
        if len > 0 {
            self.scheduler().inject_all(&tasks, len);
        }
    }

    /// Whether its thread may be about to push something (SHARE-5).
    #[inline]
    pub(super) fn is_at_work(&self) -> bool {
        self.at_work.load(Ordering::Relaxed)
    }

    /// The thread leaves, and its ring is empty: no other one needs to look at it (SHARE-5).
    pub(super) fn goes_away(&self) {
        self.at_work.store(false, Ordering::Relaxed);
    }

    /// Before the thread's first push (SHARE-5).
    #[inline]
    pub(super) fn comes_back(&'static self) {
        if !self.is_at_work() {
            self.is_back();
        }
    }

    #[cold]
    fn is_back(&'static self) {
        if !self.shares() {
            // Nobody looks.
            return self.at_work.store(true, Ordering::Relaxed);
        }
        self.scheduler().calls.come_back(&self.at_work, self.scheduler());
    }

    /// Whether no task is ready here.
    #[inline]
    pub(crate) fn has_no_task(&self) -> bool {
        self.queue.is_empty() && (self.ways.get() == 0 || self.has_no_other())
    }

    #[inline]
    fn has_no_other(&self) -> bool {
        (!self.shares() || self.ring.is_empty()) && (!self.is_apart() || self.lanes.are_empty())
    }

    /// The task to start next, on a worker that shares.
    #[inline]
    pub(crate) fn next_of_both(&'static self) -> Option<TaskRef> {
        let tick = self.begins_start();
        if tick.is_multiple_of(OUTSIDE_EVERY) {
            if self.sees_background() {
                self.background_is_due();
            }
            if let Some(task) = self.take_injected(OUTSIDE_SOME) {
                return Some(task);
            }
        }
        // In turns, so that neither waits for the other to be empty.
        let own = || self.ring.pop().map(TaskRef);
        let here = if tick.is_multiple_of(2) {
            own().or_else(|| self.queue.pop())
        } else {
            self.queue.pop().or_else(own)
        };
        here.or_else(|| self.take_injected(OUTSIDE_MOST))
    }

    /// Before each start of a worker that shares; answers how many there were.
    #[inline]
    pub(super) fn begins_start(&'static self) -> u32 {
        let tick = self.tick.count();
        self.call_at.set(ALONE);
        if self.searching.get() {
            self.end_search();
        }
        tick
    }

    /// A worker's share of what came from outside, but not more than `most`: the first one, and the rest into the ring.
    fn take_injected(&'static self, most: usize) -> Option<TaskRef> {
        let injector = &self.scheduler().injector;
        let len = injector.len();
        if len == 0 {
            return None;
        }
        let room = RING - self.ring.len();
        let share = len.div_ceil(self.scheduler().count()).min(most).min(room + 1);
        let mut first = None;
        injector.take(share, |task| {
            if first.is_none() {
                first = Some(task);
            } else if self.ring.push(task.0).is_err() {
                self.spill(task);
            }
        });
        if self.scheduler().injector.len() > 0 {
            self.scheduler().notify();
        }
        first
    }

    /// Looks for work elsewhere; true when there is some here now.
    #[cold]
    pub(crate) fn search(&'static self) -> bool {
        if !self.joins_search() {
            return false;
        }
        let found = !self.has_no_task()
            || self.take_from_others()
            || !self.inbox.is_empty()
            || !self.posts.is_empty();
        self.end_search();
        found
    }

    /// Whether it counts among the searchers now: it was called, or there was room for one more.
    pub(super) fn joins_search(&self) -> bool {
        if !self.searching.get()
            && self.shares()
            && self.scheduler().calls.begin_search(self.scheduler().count())
        {
            self.searching.set(true);
        }
        self.searching.get()
    }

    /// Leaves the searchers (SCHED-2).
    pub(super) fn end_search(&'static self) {
        self.searching.set(false);
        let scheduler = self.scheduler();
        // One background task is for this worker, which takes it when it has nothing else.
        let more = || self.others_have_more_than(1) || self.ring.len() >= ALONE;
        scheduler.calls.end_search(more, scheduler);
    }

    pub(super) fn take_from_others(&'static self) -> bool {
        if let Some(task) = self.take_injected(OUTSIDE_MOST) {
            // It owns a queue place; back into the ring, so that it is started like every other.
            if self.ring.push(task.0).is_err() {
                self.spill(task);
            }
            return true;
        }
        let scheduler = self.scheduler();
        if scheduler.background.len() > 0 {
            // Taken where it is started, as it must not come before the others.
            return true;
        }
        let count_of = scheduler.count();
        let first = self.next_random() as usize;
        for step in 0..count_of {
            let index = first.wrapping_add(step) % count_of;
            let Some(victim) = scheduler.worker(index).filter(|w| !ptr::eq(*w, self)) else { continue };
            let stolen = self.ring.steal_from(&victim.ring, self.content_with(victim, index));
            if stolen > 0 {
                self.stats.stolen.add(stolen as u32);
                self.stole(stolen);
                return true;
            }
        }
        false
    }

    /// SHARE-2.
    fn content_with(&self, victim: &Worker, index: usize) -> Least {
        if victim.ring.len() != 1 {
            return Least::Two;
        }
        let (watched, at, looks) = self.watched.get();
        if index != watched as usize && self.watches() {
            // One at a time, or two that are stuck would begin each other's count anew.
            return Least::Two;
        }
        let (index, tick) = (index as u32, victim.tick.seen());
        let looks = if (watched, at) == (index, tick) { looks + 1 } else { 0 };
        self.watched.set((index, tick, looks));
        if looks >= STUCK_LOOKS { Least::One } else { Least::Two }
    }

    /// Whether another worker has one task and has started nothing since this one saw it so: it may have to be taken,
    /// so this is no time to sleep (SHARE-2).
    pub(super) fn watches(&self) -> bool {
        let (watched, at, _) = self.watched.get();
        let victim = self.scheduler().worker(watched as usize).filter(|victim| !ptr::eq(*victim, self));
        victim.is_some_and(|victim| victim.ring.len() == 1 && victim.tick.seen() == at)
    }

    /// The last look before a sleep: whether others have nothing that this one would take.
    pub(crate) fn others_have_nothing(&'static self) -> bool {
        !self.others_have_more_than(0)
    }

    fn others_have_more_than(&'static self, background: usize) -> bool {
        let scheduler = self.scheduler();
        scheduler.injector.len() > 0
            || scheduler.background.len() > background
            || scheduler.workers().any(|worker| !ptr::eq(worker, self) && worker.ring.len() >= 2)
    }

    /// Which victim comes first (G. Marsaglia, "Xorshift RNGs", 2003).
    fn next_random(&self) -> u32 {
        let mut x = self.random.get().wrapping_add(self.index.get() + 1);
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random.set(x);
        x
    }
}
