//! Models of a close beside a spawn from outside: with the real stages, inbox and state word, every task that is
//! spawned is ended by a worker, or refused.

use super::stages::{Ack, Stages};
use crate::queue::{Inbox, Linked};
use crate::support_loom::explore;
use crate::task::state::StateWord;
use core::ptr;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, Ordering};
use loom::thread;

struct Task {
    state: StateWord,
    next: AtomicPtr<Task>,
}

// SAFETY: one cell, used by one inbox.
unsafe impl Linked for Task {
    unsafe fn link<'a>(node: *const Self) -> &'a AtomicPtr<Self> {
        // SAFETY: the caller's.
        unsafe { &(*node).next }
    }
}

impl Task {
    fn new() -> Self {
        Self { state: StateWord::new(), next: AtomicPtr::new(ptr::null_mut()) }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    /// The spawner looks at the stage before it counts itself.
    LooksFirst,
    /// The workers do not wait for spawns that are being made.
    DoesNotWait,
    /// The worker closes its inbox without waiting for whoever has the task's queue place.
    ClosesAtOnce,
}

struct Set {
    bug: Bug,
    stages: Stages,
    inbox: Inbox<Task>,
    task: Task,
}

impl Set {
    fn open(bug: Bug) -> Arc<Self> {
        let set = Self { bug, stages: Stages::new(), inbox: Inbox::new(), task: Task::new() };
        assert!(set.stages.open(2, || {}));
        Arc::new(set)
    }

    /// `Worker::post_task`: a refused task is dropped.
    fn push(&self) {
        // SAFETY: INBOX-1: the task outlives the model's threads, and its queue place is the caller's.
        let _ = unsafe { self.inbox.push(&self.task) };
    }

    /// `Pool::spawn_on`: true when the task was spawned.
    fn spawn(&self) -> bool {
        let open = if self.bug == Bug::LooksFirst {
            let open = self.stages.is_open();
            self.stages.spawning.fetch_add(1, Ordering::AcqRel);
            open
        } else {
            self.stages.begin_spawn()
        };
        if open {
            self.task.state.publish(0);
            self.push();
        }
        let _ = self.stages.end_spawn();
        open
    }

    /// Starts what is in the inbox, which ends it; how many those were.
    fn run(&self) -> u32 {
        let mut ended = 0;
        for task in self.inbox.take_all() {
            // SAFETY: INBOX-1.
            let task = unsafe { &*task };
            task.state.start();
            task.state.done();
            ended += 1;
        }
        ended
    }

    /// A worker's close up to its acknowledgement.
    fn stop(&self, index: usize) {
        self.stages.request_close();
        self.stages.acknowledge(Ack::Stopped, index);
    }

    /// And what follows for the one with the inbox.
    fn drain(&self) -> u32 {
        while !match self.bug {
            Bug::DoesNotWait => self.stages.all(Ack::Stopped),
            _ => self.stages.has_stopped(),
        } {
            thread::yield_now();
        }
        let ended = self.run();
        assert!(self.inbox.close().next().is_none());
        ended
    }
}

fn close_beside_a_spawn(bug: Bug) {
    explore(move || {
        let set = Set::open(bug);
        let spawner = {
            let set = set.clone();
            thread::spawn(move || set.spawn())
        };
        let other = {
            let set = set.clone();
            thread::spawn(move || set.stop(1))
        };
        set.stop(0);
        let ended = set.drain();
        other.join().unwrap();
        let spawned = spawner.join().unwrap();
        assert_eq!(ended, u32::from(spawned), "a task is lost");
    });
}

#[test]
fn a_spawn_beside_a_close_is_ended_or_refused() {
    close_beside_a_spawn(Bug::None);
}

#[test]
#[should_panic]
fn a_spawner_that_looks_before_it_counts_itself_loses_its_task() {
    close_beside_a_spawn(Bug::LooksFirst);
}

#[test]
#[should_panic]
fn a_close_that_does_not_wait_for_spawners_loses_a_task() {
    close_beside_a_spawn(Bug::DoesNotWait);
}

/// CLOSE-5: a wake on another thread has won the queue place of a task, and pushes it while its worker closes.
fn close_beside_a_wake(bug: Bug) {
    explore(move || {
        let set = Set::open(bug);
        set.task.state.publish(0);
        set.push();
        // It runs, and waits.
        for task in set.inbox.take_all() {
            // SAFETY: INBOX-1.
            let task = unsafe { &*task };
            task.state.start();
            assert!(!task.state.pending());
        }
        let waker = {
            let set = set.clone();
            thread::spawn(move || {
                if set.task.state.wake().is_some() {
                    set.push();
                }
            })
        };
        if set.task.state.abort().is_some() {
            set.push();
        }
        let mut ended = set.run();
        while ended == 0 && bug != Bug::ClosesAtOnce {
            thread::yield_now();
            ended = set.run();
        }
        for task in set.inbox.close() {
            // SAFETY: INBOX-1.
            unsafe { &*task }.state.start();
            ended += 1;
        }
        waker.join().unwrap();
        assert_eq!(ended, 1, "a task is lost");
    });
}

#[test]
fn a_wake_beside_a_close_brings_its_task() {
    close_beside_a_wake(Bug::None);
}

#[test]
#[should_panic(expected = "a task is lost")]
fn a_close_that_does_not_wait_for_a_wake_loses_its_task() {
    close_beside_a_wake(Bug::ClosesAtOnce);
}
