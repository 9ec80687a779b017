//! The memory of a runtime, and its start.

use super::cpus::{Cpus, Kept};
use super::seat::{RingPlace, Seat, nanos};
use super::threads::{Crew, Threads, leaves_nothing};
use super::urgency::Before;
use super::{Config, Runtime};
use crate::ring::{SetupError, SqThread};
use std::fmt::{self, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use unboxed_core::exec::{Remote, SchedulerStorage};
use unboxed_core::file::FileTable;
use unboxed_core::memory::{MapNode, Mapped, Row};

pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Beyond its time, a worker's thread gets this long to get out of the kernel and end.
pub(super) const JOIN_SLACK: Duration = Duration::from_millis(500);

/// The memory of one runtime, for a `static`: `FILES` open descriptors, up to `WORKERS` workers, and for each of
/// them `ROOT_OPS` op slots of a root task and `SPARES` slots for tasks that have used up their own.
#[derive(Debug)]
pub struct RuntimeCell<
    const FILES: usize = 1024,
    const WORKERS: usize = 1,
    const ROOT_OPS: usize = 16,
    const SPARES: usize = 64,
> {
    scheduler: SchedulerStorage<WORKERS, ROOT_OPS, SPARES>,
    files: FileTable<FILES>,
    rings: [RingPlace; WORKERS],
    crew: Crew,
    taken: AtomicBool,
    node: MapNode,
}

/// Why a runtime did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The kernel refused a ring.
    Ring(SetupError),
    /// The storage is in use, or was closed while the kernel still held some of it.
    InUse,
    /// The system refused a thread.
    Thread(std::io::Error),
    /// SQPOLL is on, and the process may use so few processors that its thread would take the workers' time.
    SqPoll {
        /// How many.
        usable: usize,
    },
    /// The limit on locked memory is below what the program's statics take; nothing is locked.
    Lock {
        /// Bytes of the statics.
        wanted: usize,
        /// Bytes that the process may lock.
        limit: u64,
        /// What the system says.
        error: std::io::Error,
    },
    /// The statics' pages did not come.
    Prefault {
        /// Bytes of the statics.
        wanted: usize,
        /// What the system says.
        error: std::io::Error,
    },
    /// The real-time priority was refused.
    Realtime {
        /// What was asked for.
        priority: u8,
        /// The highest that the process may have without a privilege.
        limit: u64,
        /// What the system says.
        error: std::io::Error,
    },
    /// The nice level was refused.
    Nice {
        /// What was asked for.
        level: i8,
        /// 20 less this is the lowest level that the process may have without a privilege.
        limit: u64,
        /// What the system says.
        error: std::io::Error,
    },
    /// This worker was to run on a processor that the process may not use.
    Cpu {
        /// Which worker.
        worker: usize,
        /// The processor's number.
        cpu: usize,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(error) => error.fmt(f),
            Self::InUse => unboxed_core::exec::StartError.fmt(f),
            Self::Thread(error) => {
                write!(
                    f,
                    "a worker's thread did not start: {error}: fewer workers, or none bound to a processor?"
                )
            }
            Self::SqPoll { usable } => write!(
                f,
                "SQPOLL wants a processor of its own, and this process may use {usable}: leave it off, let the \
                 process have more, or say SqPoll::Forced"
            ),
            Self::Lock { wanted, limit, error } => write!(
                f,
                "{wanted} bytes of statics are to be locked, and RLIMIT_MEMLOCK is {limit} ({error}): raise it (ulimit \
                 -l, LimitMEMLOCK=), grant CAP_IPC_LOCK, or leave lock_memory off"
            ),
            Self::Prefault { wanted, error } => write!(
                f,
                "{wanted} bytes of statics were not taken from the system ({error}): it takes Linux 5.14, and so much \
                 memory"
            ),
            Self::Realtime { priority, limit, error } => write!(
                f,
                "the real-time priority {priority} was refused, and RLIMIT_RTPRIO is {limit} ({error}): raise it \
                 (ulimit -r, LimitRTPRIO=), or grant CAP_SYS_NICE"
            ),
            Self::Nice { level, limit, error } => write!(
                f,
                "the nice level {level} was refused, and RLIMIT_NICE is {limit}, which allows {} at the lowest \
                 ({error}): raise it (ulimit -e, LimitNICE=), or grant CAP_SYS_NICE",
                (20 - (*limit).min(40) as i64).min(19)
            ),
            Self::Cpu { worker, cpu } => write!(
                f,
                "worker {worker} is to run on processor {cpu}, which this process may not use: choose from those \
                 that `taskset -cp` shows for it, or let its container have more"
            ),
        }
    }
}

impl std::error::Error for StartError {}

/// One allocation: with room for the zero that the thread's name gets at its end.
fn name_of(name: &str, index: usize) -> String {
    let mut text = String::with_capacity(name.len() + "-31".len() + 1);
    // A string takes what it is given.
    let _ = write!(text, "{name}-{index}");
    text
}

/// The thread that starts a runtime runs again where it might before, and as urgently, once that has closed.
#[derive(Debug)]
pub(super) struct Bound {
    cpus: Option<Cpus>,
    _kept: Option<Kept>,
    /// What else worker 0's thread had before.
    urgency: Option<Before>,
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Some(cpus) = self.cpus {
            cpus.unbind();
        }
    }
}

fn close_fd(fd: i32) {
    // SAFETY: R4: the table gives a descriptor that nobody else closes.
    unsafe { libc::close(fd) };
}

impl<const FILES: usize, const WORKERS: usize, const ROOT_OPS: usize, const SPARES: usize>
    RuntimeCell<FILES, WORKERS, ROOT_OPS, SPARES>
{
    /// Storage that is not started.
    pub const fn new() -> Self {
        Self {
            scheduler: SchedulerStorage::new(),
            files: FileTable::new(),
            rings: [const { RingPlace::new() }; WORKERS],
            crew: Crew::new(),
            taken: AtomicBool::new(false),
            node: MapNode::new(),
        }
    }

    /// Starts the runtime: worker 0 on this thread, to which the handle is bound, and the others, if the
    /// configuration asks for more, on threads of their own.
    ///
    /// # Errors
    /// [`StartError`]; whatever had started has ended then. Should a worker not have ended in time, the storage stays in use.
    pub fn start(&'static self, config: Config) -> Result<Runtime, StartError> {
        self.node.show(self);
        if self.taken.swap(true, Ordering::Acquire) {
            return Err(StartError::InUse);
        }
        let workers = config.workers_within(WORKERS);
        let resident = config.resident.take_statics(std::ptr::from_ref(self).cast());
        let open = |()| self.scheduler.open(workers, config.mode, config.idle_of(workers));
        let opened = resident.and_then(|taken| open(taken).map_err(|_| StartError::InUse));
        match opened {
            Ok(_) => self.start_taken(config, workers),
            Err(error) => {
                self.taken.store(false, Ordering::Release);
                Err(error)
            }
        }
    }

    fn start_taken(&'static self, config: Config, workers: usize) -> Result<Runtime, StartError> {
        crate::sync::rest_when_spinning();
        self.crew.begin(nanos(CLOSE_TIMEOUT));
        self.files.on_close(close_fd);
        let table = self.files.control();
        let thread = config.sqpoll.thread(&config.affinity);
        let kept = thread.as_ref().ok().copied().flatten().and_then(|thread| thread.cpu);
        let cpus = thread.and_then(|thread| Ok((thread, Cpus::of(config.affinity, workers, kept)?)));
        let mut bound = Bound {
            cpus: cpus.as_ref().ok().and_then(|&(_, cpus)| cpus),
            _kept: kept.and_then(Kept::new),
            urgency: None,
        };
        let mut threads = Threads::new();
        let mut refused = Ok(());
        let first = cpus.and_then(|(thread, cpus)| {
            let seat =
                self.seat(0, &config.sq_thread(thread), cpus, |before| bound.urgency = Some(before))?;
            let shared =
                thread.map(|thread| SqThread { shared_with: Some(seat.ring().as_raw_fd()), ..thread });
            let config = config.sq_thread(shared);
            refused = (1..workers).try_for_each(|index| {
                let run = move || self.crew.work(table, || self.seat(index, &config, cpus, Before::keep));
                threads.spawn(name_of(config.name, index), run).map_err(StartError::Thread)
            });
            Ok(seat)
        });
        let all = first.is_ok() && refused.is_ok() && self.crew.wait_for_start(threads.count());
        match first {
            Ok(seat) if all => Ok(Runtime::new(seat, table, threads, bound, &self.crew, &self.taken)),
            first => {
                self.scheduler.remote().request_close();
                if first.is_err() {
                    self.scheduler.absent(0);
                }
                for index in threads.count() as usize + 1..workers {
                    self.scheduler.absent(index);
                }
                let first = first.map(|mut seat| seat.close(CLOSE_TIMEOUT).unwrap_or_default());
                let (others, error) = threads.join(&self.crew, CLOSE_TIMEOUT + JOIN_SLACK);
                // A worker that is stuck still has its seat, and drops its ring there when it ends.
                if leaves_nothing(&others) && first.as_ref().map_or(true, leaves_nothing) {
                    self.taken.store(false, Ordering::Release);
                }
                first.and(refused)?;
                Err(error.unwrap_or(StartError::InUse))
            }
        }
    }

    /// One worker takes its place on this thread; one that cannot is not waited for.
    fn seat(
        &'static self,
        index: usize,
        config: &Config,
        cpus: Option<Cpus>,
        before: impl FnOnce(Before),
    ) -> Result<Seat, StartError> {
        let bound = cpus.map_or(Ok(()), |cpus| cpus.bind(index)).map_err(StartError::Thread);
        let urgent = bound.and_then(|()| config.urgency.apply());
        let seat = urgent.and_then(|had| {
            before(had);
            let start = |ring| {
                let mut executor = self.scheduler.start(index, ring, config.spares_per_task)?;
                if let Some(slice_ns) = config.slice_ns {
                    executor.set_slice(slice_ns);
                }
                Ok(executor)
            };
            // SAFETY: RT-1: `taken` makes the places ours, and each index has one thread.
            unsafe { self.rings[index].seat(config.ring_of(index), start) }
        });
        if seat.is_err() {
            self.scheduler.absent(index);
        }
        seat
    }

    /// For spawning from other threads, before and after the start too: then spawns are refused.
    pub fn remote(&'static self) -> Remote {
        self.scheduler.remote()
    }
}

impl<const FILES: usize, const WORKERS: usize, const ROOT_OPS: usize, const SPARES: usize> Default
    for RuntimeCell<FILES, WORKERS, ROOT_OPS, SPARES>
{
    fn default() -> Self {
        Self::new()
    }
}

/// What of the cell has no row of its own: where the rings lie, what the threads share. The rings' queues are the
/// kernel's pages, and have a row each.
impl<const FILES: usize, const WORKERS: usize, const ROOT_OPS: usize, const SPARES: usize> Mapped
    for RuntimeCell<FILES, WORKERS, ROOT_OPS, SPARES>
{
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        tell(Row {
            kind: "runtime",
            name: "",
            address: std::ptr::from_ref(self).addr(),
            pieces: 1,
            piece_bytes: size_of::<Self>() - size_of_val(&self.scheduler) - size_of_val(&self.files),
            beside: 0,
            used: usize::from(self.taken.load(Ordering::Relaxed)),
            used_max: 1,
        });
    }
}
