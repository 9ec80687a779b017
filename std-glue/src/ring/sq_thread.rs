//! Submissions that a thread of the kernel's takes (SQPOLL), and how it is woken.
//!
//! With such a thread an entry is the kernel's as soon as the tail is stored, without a system call. The thread looks
//! for `idle` and then sleeps; before it does, it sets a flag in the shared page, fences, and looks once more.
//!
//! RING-9: whoever has stored a tail fences, sequentially consistent, before it reads that flag: one of the two sees
//! the other (the Dekker handshake of PARK-1, with the kernel as the sleeper). The turn does so once for all entries that
//! it finds not taken yet, and nothing waits longer than until the next turn or sleep of its own worker.

use super::ring_loop::System;
use io_uring::{Builder, EnterFlags};
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

/// The thread of one ring, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqThread {
    /// The processor that it is bound to; `None`: wherever the system puts it.
    pub cpu: Option<u32>,
    /// How long it looks for submissions before it sleeps, in milliseconds; at least 1. Of rings that share a
    /// thread the longest counts.
    pub idle_ms: u32,
    /// A ring of this process whose thread takes this ring's submissions as well.
    pub shared_with: Option<RawFd>,
}

impl SqThread {
    /// Puts it into the parameters of a setup.
    pub(super) fn set_up(&self, builder: &mut Builder) {
        // Zero would mean a second.
        builder.setup_sqpoll(self.idle_ms.max(1));
        if let Some(cpu) = self.cpu {
            builder.setup_sqpoll_cpu(cpu);
        }
        if let Some(ring) = self.shared_with {
            builder.setup_attach_wq(ring);
        }
    }
}

/// How long a close waits for entries that the thread has not taken; it needs microseconds of a processor.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks.
const CLOSE_LOOK: Duration = Duration::from_micros(50);

impl System {
    /// What an enter must say so that the thread takes what is queued; nothing where it is awake (RING-9).
    pub(super) fn prod(&self) -> EnterFlags {
        // SAFETY: RING-2: a view of this expression only. The look begins with the fence of RING-9.
        if unsafe { self.ring.submission_shared() }.need_wakeup() {
            EnterFlags::SQ_WAKEUP
        } else {
            EnterFlags::empty()
        }
    }

    /// The turn's part of a ring with a thread: wakes it if it sleeps over entries.
    pub(super) fn prod_if_asleep(&self, queued: usize) {
        if queued == 0 {
            return;
        }
        let flags = self.prod();
        if !flags.is_empty() {
            self.enter(queued, 0, flags);
        }
    }

    /// Waits until the thread has taken what is queued, before the ring goes.
    pub(super) fn drain_to_thread(&self) {
        let begin = Instant::now();
        loop {
            // SAFETY: RING-2: a view of this expression only.
            let queued = unsafe { self.ring.submission_shared() }.len();
            if queued == 0 || begin.elapsed() > CLOSE_PATIENCE {
                return;
            }
            self.prod_if_asleep(queued);
            // Not a yield: a real-time thread gives way to nobody by that.
            std::thread::sleep(CLOSE_LOOK);
        }
    }
}
