//! Which lane is started next, and when the loop is looked at in between.
//!
//! ```text
//!  urgent      list of the worker                             } first in, first out each; the first lane that has
//!  normal      list and ring of the worker, injector          } a task ready is started, unless another one is due
//!  background  list of the worker, list of the scheduler      }
//! ```
//!
//! The normal lane is what `share.rs` does, and a worker that knows no other one runs a loop without any of this: what
//! ends that loop is that the number of polls it may do becomes zero, which is looked at anyway.
//!
//! LANES-1, the bound on starvation: while a worker has a task ready in a lane, it starts at most so many of the other
//! lanes before the next one of this lane: [`Lane::waits_max`], which is 2, 17 and 64. Each lane is first in, first out, so the n-th in its line waits for n times as many; what yields goes to the end. The list of background
//! tasks that all workers share counts from when a worker has seen it, which it does once in 8 starts.
//!
//! LANES-2: a worker that has had an urgent task does not start a task of another lane while a timer of its own is due,
//! nor after [`LOOK_EVERY`] starts while its loop has news; it looks at the loop first. A turn starts one task at least
//! if there is one, so that a loop that always has news starves nobody.
//!
//! LANES-3: an urgent task is on its home's list, or on its way there through the inbox; no other worker starts it.

use super::held::Round;
use super::worker::{APART, Worker};
use crate::queue::LocalQueue;
use crate::task::{Header, Lane, TaskRef, state};
use core::cell::Cell;
use core::ptr;

/// A normal task that is ready waits for at most so many urgent ones before it is due.
const NORMAL_DUE: u32 = 16;
/// A background task that is ready waits for at most so many others.
const BACKGROUND_DUE: u32 = 64;
/// With urgent tasks about, so many others are started between two looks at the loop that has news.
const LOOK_EVERY: u32 = 8;
/// A slice, if nobody says another (`Executor::set_slice`).
const SLICE_NS: u64 = 100_000;

impl Lane {
    /// While a task of this lane is ready on a worker, that starts at most so many of the other lanes before the first
    /// in this lane's line, and as many for each one that stands before it. A background task that may move waits in
    /// a line of all workers, in which each looks once in 8 starts: so many more.
    pub const fn waits_max(self) -> u32 {
        match self {
            // One normal and one background task that are due.
            Self::Urgent => 2,
            // A background task may be due at the same time.
            Self::Normal => NORMAL_DUE + 1,
            Self::Background => BACKGROUND_DUE,
        }
    }
}

/// A worker's lanes beside the normal one; the owner's.
#[derive(Debug)]
pub(crate) struct Lanes {
    urgent: LocalQueue,
    background: LocalQueue,
    /// Which background list comes first, its own or the shared one.
    shared_first: Cell<bool>,
    /// It has had an urgent task (LANES-2).
    hosts_urgent: Cell<bool>,
    /// So many polls may be done without a look at the lanes; zero ends the round.
    pub(super) polls_max: Cell<u32>,
    /// A task has found its slice over: the loop is looked at next.
    look: Cell<bool>,
    /// Starts of other lanes while this one had a task ready (LANES-1).
    normal_waits: Cell<u32>,
    background_waits: Cell<u32>,
    /// Whose slice it is, in which turn, by the polls before it, and until when.
    slice_of: Cell<(*const Header, u64)>,
    slice_until: Cell<u64>,
    /// The length of a slice, as its complement with the default: zero is that.
    slice_ns: Cell<u64>,
}

impl Lanes {
    pub const fn new() -> Self {
        Self {
            urgent: LocalQueue::new(),
            background: LocalQueue::new(),
            shared_first: Cell::new(false),
            hosts_urgent: Cell::new(false),
            polls_max: Cell::new(0),
            look: Cell::new(false),
            normal_waits: Cell::new(0),
            background_waits: Cell::new(0),
            slice_of: Cell::new((ptr::null(), 0)),
            slice_until: Cell::new(0),
            slice_ns: Cell::new(0),
        }
    }

    /// A worker starts anew.
    pub fn start(&self) {
        self.hosts_urgent.set(false);
        self.look.set(false);
        self.slice_ns.set(0);
    }

    /// Whether none is ready in the worker's own lists.
    pub fn are_empty(&self) -> bool {
        self.urgent.is_empty() && self.background.is_empty()
    }

    pub fn set_slice_ns(&self, slice_ns: u64) {
        self.slice_ns.set(SLICE_NS ^ slice_ns);
    }

    fn slice_ns(&self) -> u64 {
        SLICE_NS ^ self.slice_ns.get()
    }
}

impl Worker {
    /// Whether its next start must not be made without a look at the lanes.
    #[inline]
    pub(super) fn is_apart(&self) -> bool {
        self.ways.get() & APART != 0
    }

    /// From now on starts are made with a look at the lanes: the loop without them ends before its next one.
    fn part(&self) {
        self.ways.set(self.ways.get() | APART);
        self.lanes.polls_max.set(0);
    }

    /// A ready task of another lane than the normal one, on this worker's thread.
    #[cold]
    pub(super) fn push_in_lane(&'static self, task: TaskRef, kind: u32) {
        let lanes = &self.lanes;
        match kind {
            state::URGENT => {
                lanes.hosts_urgent.set(true);
                lanes.urgent.push(task);
            }
            state::BACKGROUND_PINNED => lanes.background.push(task),
            _ => return self.scheduler().push_background(task),
        }
        self.part();
    }

    /// Whether a background task is ready for this worker.
    fn has_background(&self) -> bool {
        !self.lanes.background.is_empty() || self.sees_background()
    }

    /// Whether one waits in the list that all workers share.
    #[inline]
    pub(super) fn sees_background(&self) -> bool {
        self.shares() && self.scheduler().background.len() > 0
    }

    /// Goes on with the round of the loop without lanes, after so many polls.
    #[cold]
    pub(super) fn go_on_in_lanes(&'static self, polls: u32, polls_max: u32) -> u32 {
        if self.lanes.look.get() || !(self.is_apart() || self.sees_background()) {
            self.lanes.look.set(false);
            return polls;
        }
        polls + self.run_lanes(polls_max - polls, u64::MAX)
    }

    /// The loop without lanes has found some in the shared list: the next start is one of them.
    #[cold]
    pub(super) fn background_is_due(&self) {
        self.lanes.background_waits.set(BACKGROUND_DUE);
        self.part();
    }

    /// Starts ready tasks, at most so many, and none after `until` but the first.
    #[cold]
    #[inline(never)]
    pub(super) fn run_lanes(&'static self, polls_max: u32, until: u64) -> u32 {
        let _round = Round::new(self);
        let mut polls = 0;
        while polls < polls_max {
            if polls > 0 && self.looks_first(polls, until) {
                break;
            }
            let Some(task) = self.next_of_lanes() else { break };
            polls += 1;
            let again = if self.shares() { self.run::<true>(task) } else { self.run::<false>(task) };
            if again {
                self.push(task);
            }
        }
        self.lanes.look.set(false);
        if !self.lanes.hosts_urgent.get() && self.lanes.are_empty() {
            self.ways.set(self.ways.get() & !APART);
        }
        self.stats.polls.add(polls);
        polls
    }

    /// Whether the round ends here, since the loop is to be looked at or the time is over (LANES-2).
    fn looks_first(&self, polls: u32, until: u64) -> bool {
        let lanes = &self.lanes;
        let watches = lanes.hosts_urgent.get() && lanes.urgent.is_empty();
        if lanes.look.get() || (watches && polls.is_multiple_of(LOOK_EVERY) && self.has_news()) {
            return true;
        }
        let deadline = if watches { self.wheel.next_deadline().unwrap_or(u64::MAX) } else { u64::MAX };
        let until = until.min(deadline);
        until != u64::MAX && self.event_loop().now() >= until
    }

    /// Whether something waits that a turn would bring.
    fn has_news(&self) -> bool {
        self.event_loop().has_news()
            || !self.inbox.is_empty()
            || !self.posts.is_empty()
            || self.held_is_woken()
    }

    /// The task to start next (LANES-1).
    fn next_of_lanes(&'static self) -> Option<TaskRef> {
        let lanes = &self.lanes;
        if lanes.background_waits.get() >= BACKGROUND_DUE
            && let Some(task) = self.take_background()
        {
            return Some(task);
        }
        if lanes.normal_waits.get() >= NORMAL_DUE
            && let Some(task) = self.take_normal()
        {
            return Some(task);
        }
        if let Some(task) = lanes.urgent.pop() {
            if self.shares() {
                self.begins_start();
            }
            self.normal_waits_for_one();
            self.background_waits_for_one();
            return Some(task);
        }
        self.take_normal().or_else(|| self.take_background())
    }

    fn take_normal(&'static self) -> Option<TaskRef> {
        self.lanes.normal_waits.set(0);
        let task = if self.shares() { self.next_of_both() } else { self.queue.pop() };
        if task.is_some() {
            self.background_waits_for_one();
        }
        task
    }

    fn take_background(&'static self) -> Option<TaskRef> {
        self.lanes.background_waits.set(0);
        let own = || self.lanes.background.pop();
        let task = if self.shares() {
            self.begins_start();
            // In turns, so that neither list waits for the other to be empty.
            let shared_first = !self.lanes.shared_first.get();
            self.lanes.shared_first.set(shared_first);
            if shared_first {
                self.scheduler().take_background().or_else(own)
            } else {
                own().or_else(|| self.scheduler().take_background())
            }
        } else {
            own()
        };
        if task.is_some() {
            self.normal_waits_for_one();
        }
        task
    }

    fn normal_waits_for_one(&self) {
        let waits = if self.has_normal() { self.lanes.normal_waits.get() + 1 } else { 0 };
        self.lanes.normal_waits.set(waits);
    }

    fn background_waits_for_one(&self) {
        let waits = if self.has_background() { self.lanes.background_waits.get() + 1 } else { 0 };
        self.lanes.background_waits.set(waits);
    }

    fn has_normal(&self) -> bool {
        !self.queue.is_empty()
            || (self.shares() && (!self.ring.is_empty() || self.scheduler().injector.len() > 0))
    }

    /// For [`yield_if_due`](crate::task::yield_if_due): whether the task being polled has had its time. If so, the loop
    /// is looked at after this poll.
    pub(crate) fn slice_is_over(&'static self) -> bool {
        let over = self.task().is_some_and(|task| {
            let lane = Lane::of(task.header().state.load());
            self.others_come_first(lane) || self.has_news() || self.time_is_over(task)
        });
        if over {
            self.lanes.slice_of.set((ptr::null(), 0));
            self.lanes.look.set(true);
            self.lanes.polls_max.set(0);
        }
        over
    }

    fn others_come_first(&self, lane: Lane) -> bool {
        (lane > Lane::Urgent && !self.lanes.urgent.is_empty()) || (lane > Lane::Normal && self.has_normal())
    }

    /// The slice of a task begins with its first question in a turn.
    fn time_is_over(&'static self, task: TaskRef) -> bool {
        let (lanes, now) = (&self.lanes, self.event_loop().now());
        if self.wheel.next_deadline().is_some_and(|deadline| deadline <= now) {
            return true;
        }
        let slice_of = (task.0, self.stats.polls.get());
        if lanes.slice_of.replace(slice_of) != slice_of {
            lanes.slice_until.set(now.saturating_add(lanes.slice_ns()));
        }
        now >= lanes.slice_until.get()
    }
}
