//! One turn: messages, polls, the loop, timers, dispatch. The hot path of the whole project.

use super::current::Entered;
use super::held::Round;
use super::stats::count;
use super::worker::{CLOSING, SHARES, Worker};
use crate::atomics::Ordering;
use crate::event_loop::{Reaper, Wait};
use crate::task::{self, BODY_DONE, TaskRef, state};
use core::marker::PhantomData;

/// What one turn may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// At most so many polls of tasks.
    pub polls: u32,
    /// At most so many completions of operations; the rest stay with the loop for the next turn. A turn takes
    /// no more than fit its batch of wakers in any case.
    pub completions: u32,
    /// For about so long, in nanoseconds of the loop's clock: after that time no poll begins but the first one, and the
    /// turn does not sleep. The clock is read before each poll, unless this is `u64::MAX`, which is no limit.
    pub time_ns: u64,
    /// Whether the turn may sleep when there is nothing to do.
    pub sleep: bool,
}

impl Budget {
    /// A round of polls, and no sleep: for loops of one's own.
    pub const POLL: Self = Self { polls: 256, completions: u32::MAX, time_ns: u64::MAX, sleep: false };
    /// A round of polls, and a sleep when nothing is left to do.
    pub const SLEEP: Self = Self { polls: 256, completions: u32::MAX, time_ns: u64::MAX, sleep: true };
}

/// What one turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turned {
    /// Polls of tasks.
    pub polls: u32,
    /// Completions taken from the loop.
    pub completions: u32,
    /// Whether tasks are ready to be polled.
    pub more: bool,
}

impl Worker {
    /// See [`Executor::turn`](super::Executor::turn).
    pub(crate) fn turn(&'static self, budget: Budget) -> Turned {
        let _entered = Entered::new(self);
        self.end_rest();
        self.turn_begins();
        if !self.batch.is_empty() || !self.orphans.is_empty() {
            // What a panic of the last turn left.
            self.dispatch();
        }
        self.take_messages();
        let polls = if budget.time_ns == u64::MAX {
            self.run_tasks(budget.polls)
        } else {
            self.run_lanes(budget.polls, self.event_loop().now().saturating_add(budget.time_ns))
        };
        if polls != 0 {
            self.spin_until.set(0);
            self.watch_ns.set(0);
        }
        // A close looks at what has ended before its worker sleeps (CLOSE-4).
        let sleep = budget.sleep && (polls == 0 || self.life.load(Ordering::Relaxed) != CLOSING);
        let completions = self.run_loop(sleep, budget.completions);
        self.dispatch();
        if self.searching.get() {
            // It was called, and others rely on its search (SCHED-2): the next turn may be far away.
            self.search();
        }
        self.turn_ends();
        Turned { polls, completions, more: !self.has_no_task() }
    }

    #[inline]
    pub(super) fn take_messages(&'static self) {
        if !self.posts.is_empty() {
            self.take_posts();
        }
        if !self.inbox.is_empty() {
            for task in self.inbox.take_all() {
                count(&self.stats.messages);
                self.came_in(TaskRef(task));
                self.push(TaskRef(task));
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.has_no_task()
            && self.inbox.is_empty()
            && self.posts.is_empty()
            && !self.nudged.load(Ordering::Relaxed)
    }

    pub(crate) fn run_tasks(&'static self, polls_max: u32) -> u32 {
        // Asked once, so that a worker that is alone and knows one lane pays nothing for the others.
        match self.ways.get() {
            0 => self.run_tasks_of::<false>(polls_max),
            SHARES => self.run_tasks_of::<true>(polls_max),
            _ => self.run_lanes(polls_max, u64::MAX),
        }
    }

    /// The normal lane alone: until it is empty, or a look at the lanes or at the loop is due (`Worker::part`).
    #[inline]
    fn run_tasks_of<const SHARED: bool>(&'static self, polls_max: u32) -> u32 {
        let _round = (!SHARED).then(|| Round::new(self));
        self.lanes.polls_max.set(polls_max);
        let mut polls = 0;
        let parted = loop {
            if polls >= self.lanes.polls_max.get() {
                break true;
            }
            let next = if SHARED { self.next_of_both() } else { self.queue.pop() };
            let Some(task) = next else { break SHARED && self.sees_background() };
            polls += 1;
            if self.run::<SHARED>(task) {
                if SHARED { self.push_again(task) } else { self.queue.push(task) }
            }
        };
        if SHARED {
            // The next start may be far away.
            self.call_for_rest();
        }
        self.stats.polls.add(polls);
        if parted { self.go_on_in_lanes(polls, polls_max) } else { polls }
    }

    /// Starts one task; true when it is to be queued again. A panic in its body leaves through here, with the
    /// task's word in order.
    #[inline(always)]
    #[must_use]
    pub(super) fn run<const SHARED: bool>(&'static self, task: TaskRef) -> bool {
        let before = task.header().state.start();
        if SHARED {
            self.call_behind_start(before & state::QUEUED != 0);
        }
        let running = Running { worker: self, task, stopping: before & state::ABORTED != 0 };
        self.task.set(task.0);
        // Its runner's, from here on (R6).
        task.header().home.store(core::ptr::from_ref(self).cast_mut(), Ordering::Relaxed);
        // SAFETY: STATE-3: only live tasks are in queues.
        let vtable = unsafe { task.vtable_of_live() };
        let began = self.poll_begins(task, vtable);
        // SAFETY: the vtable belongs to the task's body, and the task is RUNNING here.
        let done = unsafe { if running.stopping { (vtable.stop)(task.0) } else { (vtable.poll)(task.0) } }
            == BODY_DONE;
        let stopping = running.stopping;
        core::mem::forget(running);
        self.task.set(core::ptr::null());
        self.poll_ends(began, task, vtable, done);
        if done {
            if stopping {
                task.header().state.mark(state::NO_OUTPUT);
            }
            task::finish(self, task);
            return false;
        }
        if stopping {
            // Each later start stops again, and never polls.
            task.header().state.mark(state::ABORTED);
        }
        if !SHARED && !stopping {
            return self.hold(task);
        }
        let again = task.header().state.pending();
        self.queued_again(task, again);
        again
    }

    /// Submits, sleeps if it may, reaps, and fires timers.
    fn run_loop(&'static self, sleep: bool, completions_max: u32) -> u32 {
        let event_loop = self.event_loop();
        let mut reaper = Reaper { worker: self, reaped: 0, most: completions_max, not_send: PhantomData };
        self.loop_entered();
        let wait = self.wait(sleep, Some(&mut reaper));
        let slept = self.falls_asleep(wait != Wait::No);
        event_loop.turn(wait, &mut reaper);
        self.woke_up(slept);
        let reaped = reaper.reaped;
        if wait != Wait::No {
            self.wake_up();
        }
        if !self.wheel.is_empty() && !self.batch.is_full() {
            self.wheel.fire(event_loop.now(), |slot| {
                self.finish_here(slot);
                !self.batch.is_full()
            });
        }
        if !self.full.is_empty() {
            self.retry_full();
        }
        reaped
    }

    /// How long the worker may sleep; if at all, its sleep is announced, and ends by [`wake_up`](Self::wake_up).
    /// Without a reaper it does not look around before that.
    pub(crate) fn wait(&'static self, sleep: bool, reaper: Option<&mut Reaper<'_>>) -> Wait {
        // An orphan holds a block for which somebody may wait.
        let idle = self.is_idle() && self.batch.is_empty() && self.full.is_empty() && self.orphans.is_empty();
        if !idle || self.root_has_ended() {
            if self.nudged.load(Ordering::Relaxed) {
                self.nudged.swap(false, Ordering::Acquire);
            }
            return Wait::No;
        }
        if self.shares() && self.search() {
            return Wait::No;
        }
        if !sleep {
            return Wait::No;
        }
        let deadline = self.wheel.next_deadline().unwrap_or(u64::MAX).min(self.wake_at());
        if deadline != u64::MAX && deadline <= self.event_loop().now() {
            return Wait::No;
        }
        if reaper.is_some_and(|reaper| self.spins(reaper))
            || (self.shares() && self.looks_again())
            || !self.fall_asleep()
        {
            return Wait::No;
        }
        let deadline = if self.shares() { deadline.min(self.watch_until()) } else { deadline };
        if deadline == u64::MAX { Wait::Forever } else { Wait::Until(deadline) }
    }

    /// Announces a sleep; false when there is something to do after all (PARK-1).
    fn fall_asleep(&'static self) -> bool {
        count(&self.stats.sleeps);
        if !self.shares() {
            let asleep = self.parker.prepare(|| self.is_idle());
            if !asleep {
                self.parker.awake();
            }
            return asleep;
        }
        let nothing = || self.is_idle() && self.others_have_nothing();
        let asleep = self.scheduler().calls.sleep(&self.parker, nothing);
        if !asleep {
            self.wake_up();
        }
        asleep
    }

    pub(crate) fn wake_up(&self) {
        if !self.shares() {
            self.parker.awake();
        } else if self.scheduler().calls.wake(&self.parker) {
            // PARK-4: it was counted when it was called.
            self.searching.set(true);
        }
    }

    /// Wakes what the reaping brought, and ends orphans. In the outermost turn only (WORKER-3).
    pub(crate) fn dispatch(&'static self) {
        while let Some(waker) = self.batch.pop() {
            match task::task_of(&waker) {
                Some(task) => {
                    // One of ours has nothing to drop (TASK-1).
                    core::mem::forget(waker);
                    task.wake_on(self);
                }
                None => waker.wake(),
            }
        }
        while let Some(slot) = self.orphans.pop() {
            // Somebody may wait for the memory that the orphan held.
            let waker = slot.take_waker();
            self.discard(slot);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// Puts the task's word in order when its body panics: it becomes an aborted task in the queue, whose body
/// is dropped by an ordinary step and not while unwinding. A body that panics while it is being dropped
/// counts as dropped.
struct Running {
    worker: &'static Worker,
    task: TaskRef,
    stopping: bool,
}

impl Drop for Running {
    #[inline]
    fn drop(&mut self) {
        panicked(self.worker, self.task, self.stopping);
    }
}

/// By value, so that the guard of each poll stays in registers.
#[cold]
#[inline(never)]
fn panicked(worker: &'static Worker, task: TaskRef, stopping: bool) {
    count(&worker.stats.panics);
    let word = &task.header().state;
    worker.task.set(core::ptr::null());
    if stopping || word.load() & state::BODY_GONE != 0 {
        word.mark(state::PANICKED | state::NO_OUTPUT);
        task::finish(worker, task);
        return;
    }
    word.mark(state::PANICKED | state::NO_OUTPUT | state::ABORTED | state::QUEUED);
    if word.pending() {
        worker.push(task);
    }
}
