//! The queue that all workers of a scheduler share: what comes from outside, and what found no room in a ring.
//!
//! A list under a spin lock, whose links lie in the tasks, so it cannot be full. Whoever takes, takes a batch,
//! so the lock is taken once for many tasks.
//!
//! INJECT-1: the list is touched under the lock only; a task in it is RUNNING (STATE-6) and its `next` is the list's
//! (STATE-3). INJECT-2: `len` is written under the lock; without it, it is a hint, which the parking
//! handshake makes sure of (PARK-1).

use super::LocalQueue;
use crate::atomics::{AtomicUsize, Ordering};
use crate::task::TaskRef;
use spin::mutex::SpinMutex;

/// See the module.
#[derive(Debug)]
pub(crate) struct Injector {
    list: SpinMutex<Shared>,
    len: AtomicUsize,
}

#[derive(Debug)]
struct Shared(LocalQueue);

// SAFETY: INJECT-1.
unsafe impl Send for Shared {}

impl Injector {
    pub const fn new() -> Self {
        Self { list: SpinMutex::new(Shared(LocalQueue::new())), len: AtomicUsize::new(0) }
    }

    /// How many tasks wait (INJECT-2).
    #[inline]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Adds a task; the caller owns its queue place.
    pub fn push(&self, task: TaskRef) {
        let list = self.list.lock();
        list.0.push(task);
        self.len.store(self.len.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Adds all of a list, in order, under one lock.
    pub fn push_all(&self, tasks: &LocalQueue, count: usize) {
        let list = self.list.lock();
        list.0.append(tasks);
        self.len.store(self.len.load(Ordering::Relaxed) + count, Ordering::Release);
    }

    /// Takes the oldest tasks, at most `most`.
    pub fn take(&self, most: usize, mut each: impl FnMut(TaskRef)) {
        if self.len() == 0 {
            return;
        }
        let taken = LocalQueue::new();
        {
            let list = self.list.lock();
            let mut left = self.len.load(Ordering::Relaxed);
            for _ in 0..most {
                let Some(task) = list.0.pop() else { break };
                left -= 1;
                taken.push(task);
            }
            self.len.store(left, Ordering::Release);
        }
        while let Some(task) = taken.pop() {
            each(task);
        }
    }
}
