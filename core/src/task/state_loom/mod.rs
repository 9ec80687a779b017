//! Models of the state word. `STATE-n` are the rules of `state.rs`.
//!
//! | room | what |
//! |---|---|
//! | `publish` | a new task, its first start, and what stale wakers do to it |
//! | `wake` | who owns the queue place, and which poll sees the waker's writes |
//! | `held` | a pending that is put off (STATE-8) |
//! | `end` | aborts, and whose the output is |

mod end;
mod held;
mod publish;
mod wake;

use super::state::*;
use crate::support_loom::{Plain, explore};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

struct Task {
    word: StateWord,
    /// The future: the runner's while RUNNING.
    body: Plain,
    /// Written by the runner while RUNNING, read by whoever won the queue place.
    home: Plain,
    /// The link: written by the owner of the queue place.
    next: Plain,
    /// What somebody tells the task, and then wakes it.
    news: AtomicU32,
    output_drops: AtomicU32,
}

impl Task {
    fn free() -> Arc<Self> {
        Arc::new(Self {
            word: StateWord::new(),
            body: Plain::new(0),
            home: Plain::new(1),
            next: Plain::new(0),
            news: AtomicU32::new(0),
            output_drops: AtomicU32::new(0),
        })
    }

    fn published() -> Arc<Self> {
        let task = Self::free();
        task.word.publish(0);
        task
    }

    /// In the queue, and woken there.
    fn woken() -> Arc<Self> {
        let task = Self::published();
        assert!(task.word.wake().is_none());
        task
    }

    /// Published, run once, and waiting.
    fn idle() -> Arc<Self> {
        let task = Self::published();
        task.word.start();
        assert!(!task.word.pending());
        task
    }

    /// Starts and polls; the news that the poll saw.
    fn poll(&self) -> u32 {
        self.word.start();
        self.body.set(self.body.get() + 1);
        self.news.load(Ordering::Relaxed)
    }
}

/// The runner polls until nothing has woken it; then the one who won the place polls once more.
fn last_news(task: fn() -> Arc<Task>, wake: fn(&Task) -> bool) {
    explore(move || {
        let task = task();
        let waker = {
            let task = task.clone();
            thread::spawn(move || {
                task.news.store(7, Ordering::Relaxed);
                wake(&task)
            })
        };
        let mut seen = task.poll();
        while task.word.pending() {
            seen = task.poll();
        }
        if waker.join().unwrap() {
            seen = task.poll();
        }
        assert_eq!(seen, 7, "the last poll did not see what came before the wake");
    });
}

/// A runner that finishes at the start that finds ABORTED.
fn run(task: &Task) -> bool {
    if task.word.start() & ABORTED != 0 {
        stop(task);
        return false;
    }
    task.body.set(1);
    task.word.pending()
}

fn stop(task: &Task) {
    task.body.set(9);
    task.word.mark(NO_OUTPUT);
    task.word.done();
}

/// `StateWord::wake` of a bare word; true when the queue place is the caller's.
fn raw_wake(word: &AtomicU32) -> bool {
    let mut now = word.load(Ordering::Relaxed);
    loop {
        let waits = now & (LIVE | QUEUED | RUNNING) == LIVE;
        let next = if waits { now | RUNNING } else { now | QUEUED | RUNNING };
        match word.compare_exchange(now, next, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return waits,
            Err(seen) => now = seen,
        }
    }
}
