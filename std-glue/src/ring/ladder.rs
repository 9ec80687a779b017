//! Setting a ring up: from the best flags that a kernel knows down to none, and why it is refused.

use core::fmt;

use super::napi::Napi;
use super::sq_thread::SqThread;
use io_uring::IoUring;

/// The most entries of a submission queue; a completion queue may have twice as many.
const ENTRIES_MAX: u32 = 32_768;

/// Sizes of a ring, and how it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingConfig {
    /// Operations that one turn can start without an extra system call. Rounded up to a power of two, at
    /// least 2; an eighth of them is kept for cancels.
    pub entries: u32,
    /// Completions that fit before the kernel keeps the rest in its own memory; `None`: twice `entries`.
    pub cq_entries: Option<u32>,
    /// Only this rung, for tests; `None`: the first that the kernel knows.
    pub rung: Option<Rung>,
    /// Whether the ring's file can be waited for, which leaves out the deferred rung.
    pub pollable: bool,
    /// A thread of the kernel's takes the submissions; no rung is asked for then.
    pub sq_thread: Option<SqThread>,
    /// A sleep begins with a look at the network's queues.
    pub napi: Option<Napi>,
    /// The loop's own pages are there before they are used; the queues are the kernel's, and always there.
    pub prefault: bool,
    /// The loop's own pages are locked.
    pub lock: bool,
}

impl RingConfig {
    /// 256 entries, twice as many completions, the best rung.
    pub const fn new() -> Self {
        Self {
            entries: 256,
            cq_entries: None,
            rung: None,
            pollable: false,
            sq_thread: None,
            napi: None,
            prefault: false,
            lock: false,
        }
    }
}

impl RingConfig {
    /// Whether a rung may be tried.
    fn allows(&self, rung: Rung) -> bool {
        (rung == Rung::Polled) == self.sq_thread.is_some()
            && self.rung.is_none_or(|only| only == rung)
            && !(self.pollable && rung == Rung::Deferred)
    }
}

impl Default for RingConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// How the kernel runs completion work. Better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// Single issuer, deferred task work: only inside the loop's own calls (Linux 6.1).
    Deferred,
    /// Cooperative task work: at the next system call, never by an interrupt (Linux 5.19).
    Cooperative,
    /// No flags.
    Plain,
    /// A thread of the kernel's takes submissions and runs completion work (`sq_thread`); never chosen by itself.
    Polled,
}

/// Each try: its rung, and whether the indirection array of the submission queue is left out (Linux 6.6).
const TRIES: [(Rung, bool); 6] = [
    (Rung::Deferred, true),
    (Rung::Deferred, false),
    (Rung::Cooperative, false),
    (Rung::Plain, false),
    (Rung::Polled, true),
    (Rung::Polled, false),
];

/// Why there is no ring. The text says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupError {
    /// EPERM or EACCES: a policy forbids io_uring.
    Forbidden,
    /// ENOSYS: the kernel has no io_uring, or a sandbox says so.
    Unknown,
    /// The kernel has io_uring but lacks what the loop builds on.
    TooOld,
    /// ENOMEM: the memory of the queues was refused.
    NoMemory,
    /// EMFILE or ENFILE: no file descriptor is free.
    NoFiles,
    /// These sizes are not possible.
    Size,
    /// EINVAL on every rung that was tried.
    NoRung,
    /// EINVAL or EPERM for a ring with a thread of the kernel's, on this processor if one was named.
    NoSqThread(Option<u32>),
    /// EAGAIN: no further thread may be made for the ring.
    NoThreads,
    /// With this error number, busy polling of the network's queues.
    NoNapi(i32),
    /// As many rings are open as there are doorbells.
    BellsUsedUp,
    /// Another error number.
    Other(i32),
}

impl SetupError {
    /// From what the system said.
    pub(super) fn from_io(error: &std::io::Error) -> Self {
        match error.raw_os_error().unwrap_or(0) {
            libc::EPERM | libc::EACCES => Self::Forbidden,
            libc::ENOSYS => Self::Unknown,
            libc::ENOMEM => Self::NoMemory,
            libc::EMFILE | libc::ENFILE => Self::NoFiles,
            libc::EINVAL => Self::NoRung,
            libc::EAGAIN => Self::NoThreads,
            other => Self::Other(other),
        }
    }

    /// The system's error number that stands for this, for callers that report numbers.
    pub const fn errno(self) -> i32 {
        match self {
            Self::Forbidden => libc::EPERM,
            Self::Unknown | Self::TooOld => libc::ENOSYS,
            Self::NoMemory => libc::ENOMEM,
            Self::NoFiles => libc::EMFILE,
            Self::Size | Self::NoRung | Self::NoSqThread(_) => libc::EINVAL,
            Self::BellsUsedUp | Self::NoThreads => libc::EAGAIN,
            Self::NoNapi(errno) | Self::Other(errno) => errno,
        }
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Forbidden => {
                "io_uring is forbidden here (EPERM): set the sysctl kernel.io_uring_disabled to 0, or, in a \
                 container, allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile"
            }
            Self::Unknown => {
                "there is no io_uring here (ENOSYS): use Linux 5.13 or newer, outside sandboxes that hide it"
            }
            Self::TooOld => "this kernel's io_uring is too old: use Linux 5.13 or newer",
            Self::NoMemory => {
                "the ring's memory was refused (ENOMEM): raise the limit on locked memory (ulimit -l, \
                 LimitMEMLOCK=) or ask for fewer entries"
            }
            Self::NoFiles => "no file descriptor is free (EMFILE): raise ulimit -n or close files",
            Self::Size => {
                "impossible ring sizes: at most 32768 entries and 65536 completions, and no fewer completions \
                 than entries"
            }
            Self::NoRung => {
                "the kernel refused every set of ring flags that was tried (EINVAL): force no rung; a pollable \
                 ring cannot have the deferred one"
            }
            Self::NoSqThread(None) => {
                "the kernel refused a thread for the submission queue (EINVAL): Linux before 5.13, or a sandbox; \
                 leave SQPOLL off"
            }
            Self::NoSqThread(Some(cpu)) => {
                return write!(
                    f,
                    "the kernel refused a thread for the submission queue on processor {cpu} (EINVAL): name one \
                     that is online and that `taskset -cp` shows for this process, or none"
                );
            }
            Self::NoThreads => {
                "the kernel could not make a thread for the submission queue (EAGAIN): raise the limit on \
                 processes (ulimit -u, TasksMax=) or leave SQPOLL off"
            }
            Self::NoNapi(errno) => {
                return write!(
                    f,
                    "the kernel refused to poll the network's queues (NAPI, error number {errno}): it takes Linux 6.9, \
                     built with CONFIG_NET_RX_BUSY_POLL; leave it off"
                );
            }
            Self::BellsUsedUp => "64 rings are open in this process, which is the limit: close one first",
            Self::Other(errno) => return write!(f, "io_uring_setup failed with error number {errno}"),
        };
        f.write_str(text)
    }
}

impl core::error::Error for SetupError {}

/// Whether a ring can be set up here. Sets a small one up and takes it down again.
///
/// # Errors
/// What a larger one would be told, too.
pub fn probe() -> Result<(), SetupError> {
    build(&RingConfig { entries: 2, ..RingConfig::new() }).map(drop)
}

/// Goes down the ladder until the kernel agrees.
pub(super) fn build(config: &RingConfig) -> Result<(IoUring, Rung), SetupError> {
    let entries = config.entries.max(2);
    let cq_entries = config.cq_entries.unwrap_or(entries.saturating_mul(2));
    // Above the largest size the sum of bits would overflow, so that is asked first.
    if entries > ENTRIES_MAX || cq_entries > 2 * ENTRIES_MAX {
        return Err(SetupError::Size);
    }
    if cq_entries.next_power_of_two() < entries.next_power_of_two() {
        return Err(SetupError::Size);
    }
    for (rung, no_array) in TRIES {
        if !config.allows(rung) {
            continue;
        }
        match attempt(rung, no_array, entries, cq_entries, config.sq_thread) {
            Ok(ring) => return enough(&ring).map(|()| (ring, rung)),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => return Err(SetupError::from_io(&error)),
        }
    }
    Err(config.sq_thread.map_or(SetupError::NoRung, |thread| SetupError::NoSqThread(thread.cpu)))
}

/// One try. The builder is a plain value; errors carry a number only, so there is no heap in it.
fn attempt(
    rung: Rung,
    no_array: bool,
    entries: u32,
    cq_entries: u32,
    sq_thread: Option<SqThread>,
) -> std::io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(cq_entries);
    if let Some(thread) = sq_thread {
        thread.set_up(&mut builder);
    }
    if no_array {
        builder.setup_no_sqarray();
    }
    match rung {
        Rung::Deferred => {
            builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
        }
        Rung::Cooperative => {
            builder.setup_coop_taskrun().setup_taskrun_flag().setup_submit_all();
        }
        Rung::Polled => {
            builder.setup_single_issuer().setup_submit_all();
        }
        Rung::Plain => {}
    }
    builder.build(entries)
}

/// What the loop builds on: parameters copied at submission (RING-3), no completion dropped, a timeout as a
/// wait argument, and multishot polls, which came with resource tags.
fn enough(ring: &IoUring) -> Result<(), SetupError> {
    let has = ring.params();
    if has.is_feature_submit_stable()
        && has.is_feature_nodrop()
        && has.is_feature_ext_arg()
        && has.is_feature_resource_tagging()
    {
        Ok(())
    } else {
        Err(SetupError::TooOld)
    }
}
