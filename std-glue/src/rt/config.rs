//! What a runtime may be told at its start.

use super::cpus::{Affinity, List};
use super::resident::Resident;
use super::sqpoll::SqPoll;
use super::urgency::Urgency;
use crate::ring::{Napi, RingConfig, Rung, SqThread};
use std::time::Duration;
use unboxed_core::exec::{Idle, Mode};

/// By measurement (`benches/idle.rs`): nearly all of the gain is there at 5 us, and the cost grows with the time.
const IDLE_OF_SEVERAL: Idle = Idle::SpinFor(Duration::from_micros(5));

/// How a runtime starts. The defaults suit a service of some hundred connections on one thread.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    pub(super) ring: RingConfig,
    pub(super) spares_per_task: u32,
    pub(super) workers: usize,
    pub(super) mode: Mode,
    idle: Option<Idle>,
    pub(super) slice_ns: Option<u64>,
    pub(super) affinity: Affinity,
    pub(super) sqpoll: SqPoll,
    pub(super) urgency: Urgency,
    pub(super) resident: Resident,
    pub(super) name: &'static str,
}

impl Config {
    /// One worker, 256 submission entries, four spares a task, the best setup flags that the kernel takes.
    pub const fn new() -> Self {
        Self {
            ring: RingConfig::new(),
            spares_per_task: 4,
            workers: 1,
            mode: Mode::Stealing,
            idle: None,
            slice_ns: None,
            affinity: Affinity::Any,
            sqpoll: SqPoll::Off,
            urgency: Urgency { realtime: None, nice: None },
            resident: Resident { prefault: false, lock: false },
            name: "unboxed",
        }
    }

    /// How many workers share the tasks: the calling thread, and one thread more for each above one. Zero is
    /// as many as the process may use processors; in any case at most what the runtime's storage has room for.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Whether a task runs on any worker, or always on the one that spawned it.
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// What a worker does when there is nothing to do. By default one that is alone sleeps, as it waits for the system
    /// only, and one of several looks around for 5 us first, as it may wait for the others: so two of them that
    /// talk are some forty times as fast, where each has a processor. Longer is for programs that have
    /// processors to spare; where threads share one, a spin only keeps the other from running.
    pub const fn idle(mut self, idle: Idle) -> Self {
        self.idle = Some(idle);
        self
    }

    /// How long a task that asks by [`yield_if_due`](crate::task::yield_if_due) may run before it yields: 100 us if
    /// nobody says. Shorter serves urgent tasks and the loop sooner, and costs a turn of the worker a slice.
    pub const fn slice(mut self, slice: Duration) -> Self {
        let ns = slice.as_nanos();
        self.slice_ns = Some(if ns < u64::MAX as u128 { ns as u64 } else { u64::MAX });
        self
    }

    /// Binds each worker's thread, the calling one too until the runtime closes, to a processor of its own, in turn
    /// through those that the process may use.
    pub const fn pinned(mut self, pinned: bool) -> Self {
        self.affinity = if pinned { Affinity::InTurn } else { Affinity::Any };
        self
    }

    /// The same with these processors, by the system's numbers: worker 0 runs on the first, and so on, from the
    /// start again after the last. A start fails with [`StartError::Cpu`](super::StartError::Cpu) when the process may
    /// not use one that a worker needs.
    ///
    /// ```
    /// # use unboxed::rt::Config;
    /// const CONFIG: Config = Config::new().workers(3).cpus(&[2, 4, 6]);
    /// ```
    ///
    /// # Panics
    /// When the list is empty, or longer than a runtime can have workers: 32.
    pub const fn cpus(mut self, cpus: &[u32]) -> Self {
        self.affinity = Affinity::Listed(List::new(cpus));
        self
    }

    /// Whether one thread of the kernel's takes the submissions of all workers; off by default, see `docs/sqpoll.md`.
    /// It keeps its processor to itself: workers that [`cpus`](Self::cpus) has not placed stay off it, if there is
    /// another.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use unboxed::rt::{Config, SqPoll};
    ///
    /// const CONFIG: Config =
    ///     Config::new().sqpoll(SqPoll::On { core: Some(3), idle: Duration::from_millis(2) });
    /// ```
    pub const fn sqpoll(mut self, sqpoll: SqPoll) -> Self {
        self.sqpoll = sqpoll;
        self
    }

    /// A sleep begins with a look at the queues of the network card, for up to `time` (in steps of a microsecond), where
    /// the ring has used sockets of one; `prefer` puts the card's interrupts off meanwhile. The processor is busy for so
    /// long. A start fails with [`SetupError::NoNapi`](crate::ring::SetupError::NoNapi) where the kernel cannot.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use unboxed::rt::Config;
    /// const CONFIG: Config = Config::new().napi(Duration::from_micros(50), false);
    /// ```
    pub const fn napi(mut self, time: Duration, prefer: bool) -> Self {
        let time_us = time.as_micros();
        let time_us = if time_us > u32::MAX as u128 { u32::MAX } else { time_us as u32 };
        self.ring.napi = Some(Napi { time_us, prefer });
        self
    }

    /// The workers' threads run before every ordinary thread of the machine: first in, first out (`SCHED_FIFO`), with this
    /// priority of 1 to 99. Threads that they start are ordinary again, and so is the calling one once the runtime has
    /// closed. Beware of [`Idle::Spin`]: it leaves its processor to nobody then.
    ///
    /// A start fails with [`StartError::Realtime`](super::StartError::Realtime) where the process may not.
    ///
    /// # Panics
    /// When there is no such priority.
    pub const fn realtime(mut self, priority: u8) -> Self {
        assert!(1 <= priority && priority <= 99, "unboxed: real-time priorities are 1 to 99");
        self.urgency.realtime = Some(priority);
        self
    }

    /// The nice level of the workers' threads, -20 (most urgent) to 19; the calling one has its own again once the
    /// runtime has closed, if the system lets it: an ordinary user may not undo a higher level. A start fails with
    /// [`StartError::Nice`](super::StartError::Nice) where the process may not.
    ///
    /// # Panics
    /// When there is no such level.
    pub const fn nice(mut self, level: i8) -> Self {
        assert!(-20 <= level && level <= 19, "unboxed: nice levels are -20 to 19");
        self.urgency.nice = Some(level);
        self
    }

    /// Takes the pages of all the program's statics from the system at the start, so that the first use of a pool, table
    /// or queue does not: each page costs some microseconds then. Of a runtime in a shared library, that library's
    /// statics. Linux 5.14; a start fails with [`StartError::Prefault`](super::StartError::Prefault) otherwise, or when
    /// memory is short.
    pub const fn prefault(mut self, prefault: bool) -> Self {
        self.resident.prefault = prefault;
        self.ring.prefault = prefault;
        self
    }

    /// Locks the pages of the same statics, and of the rings, so that the system never takes one back: those that are
    /// there, and each one from its first use on. They stay locked until the process ends. A start fails with
    /// [`StartError::Lock`](super::StartError::Lock) above the limit on locked memory.
    pub const fn lock_memory(mut self, lock: bool) -> Self {
        self.resident.lock = lock;
        self.ring.lock = lock;
        self
    }

    /// What the threads are called, with their number behind it; the system shows the first 15 bytes.
    ///
    /// # Panics
    /// When there is a zero byte in it; in a constant, when the program is built:
    ///
    /// ```compile_fail,E0080
    /// # use unboxed::rt::Config;
    /// const CONFIG: Config = Config::new().name("work\0er");
    /// # let _ = CONFIG;
    /// ```
    pub const fn name(mut self, name: &'static str) -> Self {
        let mut rest = name.as_bytes();
        while let [byte, others @ ..] = rest {
            assert!(*byte != 0, "unboxed: a thread's name has no zero byte in it");
            rest = others;
        }
        self.name = name;
        self
    }

    /// Entries of each worker's submission queue; the kernel rounds up to a power of two.
    pub const fn entries(mut self, entries: u32) -> Self {
        self.ring.entries = entries;
        self
    }

    /// Entries of each worker's completion queue; twice the submission queue's by default.
    pub const fn completion_entries(mut self, entries: u32) -> Self {
        self.ring.cq_entries = Some(entries);
        self
    }

    /// How many of the workers' spare slots one task may take when its own are used up.
    pub const fn spares(mut self, per_task: u32) -> Self {
        self.spares_per_task = per_task;
        self
    }

    /// Uses exactly these setup flags, and fails where the kernel refuses them.
    pub const fn rung(mut self, rung: Rung) -> Self {
        self.ring.rung = Some(rung);
        self
    }

    /// The idle policy of so many workers.
    pub(super) fn idle_of(&self, workers: usize) -> Idle {
        self.idle.unwrap_or(if workers == 1 { Idle::Sleep } else { IDLE_OF_SEVERAL })
    }

    /// Worker 0's ring can be waited for.
    pub(super) const fn pollable(mut self) -> Self {
        self.ring.pollable = true;
        self
    }

    /// The rings have this thread.
    pub(super) const fn sq_thread(mut self, thread: Option<SqThread>) -> Self {
        self.ring.sq_thread = thread;
        self
    }

    /// The ring of one worker: only the first one's thread may belong to another loop.
    pub(super) const fn ring_of(&self, worker: usize) -> RingConfig {
        RingConfig { pollable: self.ring.pollable && worker == 0, ..self.ring }
    }

    /// The number of workers, for a storage with room for `most`.
    pub(super) fn workers_within(&self, most: usize) -> usize {
        match self.workers {
            0 => super::cpus::allowed_count().min(most),
            workers => workers.min(most),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
