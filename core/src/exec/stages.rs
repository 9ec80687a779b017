//! How a set of workers closes: what was asked for, who has acknowledged what, and which spawns are still on their way.
//!
//! SCHED-4: `stage` only grows between two starts, and each worker acknowledges a stage once; nothing is spawned from
//! outside after all have acknowledged that they stop and no spawn is counted. A spawner counts itself, fences, and
//! looks at the stage; a worker has seen the stage, fences, and acknowledges, and whoever has seen all
//! acknowledgements looks at the count. So a spawner that found the stage open is counted.

use crate::atomics::{AtomicU32, AtomicUsize, Ordering, const_unless_loom, fence};

/// Nobody has started, or all have closed.
const OFF: u32 = 0;
/// Tasks run.
const OPEN: u32 = 1;
/// A close was asked for: each worker acknowledges that it takes no more spawns.
const STOPPING: u32 = 2;

/// What a worker acknowledges, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ack {
    /// It takes no spawns any more.
    Stopped = 0,
    /// Nothing of its own is in flight, and no task is left.
    Drained = 1,
    /// It starts no task any more but what is left of the aborted ones.
    Leaving = 2,
    /// It has let everything go.
    Closed = 3,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stages {
    stage: AtomicU32,
    /// How many workers there are.
    count: AtomicU32,
    /// Spawns from outside that are being made.
    pub(super) spawning: AtomicU32,
    acks: [AtomicUsize; 4],
}

impl Stages {
    const_unless_loom! {
        /// Off.
        pub fn new() -> Self {
            Self {
                stage: AtomicU32::new(OFF),
                count: AtomicU32::new(0),
                spawning: AtomicU32::new(0),
                acks: [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)],
            }
        }
    }

    /// Takes a set that is off for `count` workers, prepares it, and opens it; false when it is on.
    pub fn open(&self, count: usize, prepare: impl FnOnce()) -> bool {
        if self.stage.compare_exchange(OFF, STOPPING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        for ack in &self.acks {
            ack.store(0, Ordering::Relaxed);
        }
        self.count.store(count as u32, Ordering::Relaxed);
        prepare();
        self.stage.store(OPEN, Ordering::Release);
        true
    }

    /// How many workers there are.
    #[inline]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed) as usize
    }

    /// Whether tasks run, and no close was asked for.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.stage.load(Ordering::Acquire) == OPEN
    }

    /// Counts a spawn from outside; false when there is to be none. [`end_spawn`](Self::end_spawn) follows either way.
    #[must_use]
    pub fn begin_spawn(&self) -> bool {
        self.spawning.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        self.is_open()
    }

    /// The spawn is made, or given up; true when a close may have waited for that.
    #[must_use]
    pub fn end_spawn(&self) -> bool {
        self.spawning.fetch_sub(1, Ordering::AcqRel) == 1 && !self.is_open()
    }

    /// Whether spawns are still being made.
    pub fn is_spawning(&self) -> bool {
        self.spawning.load(Ordering::Acquire) != 0
    }

    /// Asks for a close; true for the first who does.
    pub fn request_close(&self) -> bool {
        let first = self.stage.compare_exchange(OPEN, STOPPING, Ordering::AcqRel, Ordering::Acquire).is_ok();
        // SCHED-4: before the caller's acknowledgement, also when another has asked.
        fence(Ordering::SeqCst);
        first
    }

    fn everyone(&self) -> usize {
        usize::MAX >> (usize::BITS as usize - self.count())
    }

    /// One of the workers acknowledges; true when now all have.
    pub fn acknowledge(&self, ack: Ack, index: usize) -> bool {
        let before = self.acks[ack as usize].fetch_or(1 << index, Ordering::AcqRel);
        before | 1 << index == self.everyone()
    }

    /// Whether everybody has.
    pub fn all(&self, ack: Ack) -> bool {
        self.acks[ack as usize].load(Ordering::Acquire) == self.everyone()
    }

    /// Whether one has.
    pub fn has(&self, ack: Ack, index: usize) -> bool {
        self.acks[ack as usize].load(Ordering::Acquire) & 1 << index != 0
    }

    /// Whether nothing is spawned any more (SCHED-4).
    pub fn has_stopped(&self) -> bool {
        self.all(Ack::Stopped) && !self.is_spawning()
    }

    /// It may be opened again.
    pub fn off(&self) {
        self.stage.store(OFF, Ordering::Release);
    }
}
