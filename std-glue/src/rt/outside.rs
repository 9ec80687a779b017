//! A runtime that another loop drives: what that one waits for, and how long. See `docs/embedding.md`.

use super::{Config, Runtime, RuntimeCell, StartError};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};
use unboxed_core::event_loop::Wait;

/// What the loop outside may do now; see [`Pollable::prepare_to_sleep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: there is something to do, turn again.
    No,
    /// Sleep until the runtime's descriptor is readable.
    Forever,
    /// Sleep until then, or until this moment, whatever comes first.
    Until(Instant),
}

impl Rest {
    /// How long from now; none is for ever.
    pub fn timeout(self) -> Option<Duration> {
        match self {
            Self::No => Some(Duration::ZERO),
            Self::Forever => None,
            Self::Until(moment) => Some(moment.saturating_duration_since(Instant::now())),
        }
    }

    /// The same for poll(2) and epoll_wait(2): milliseconds, rounded up, or -1.
    pub fn timeout_ms(self) -> i32 {
        self.timeout()
            .map_or(-1, |left| i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX))
    }
}

/// A runtime with a descriptor for which a loop outside waits; made by [`RuntimeCell::start_pollable`]. It stays on
/// its thread.
///
/// ```no_run
/// use std::os::fd::AsRawFd;
/// use unboxed::exec::Budget;
/// use unboxed::rt::{Config, Rest, RuntimeCell};
///
/// static CELL: RuntimeCell = RuntimeCell::new();
///
/// let mut runtime = CELL.start_pollable(Config::new()).expect("a ring");
/// loop {
///     let turned = runtime.turn(Budget::POLL);
///     let rest = if turned.more { Rest::No } else { runtime.prepare_to_sleep() };
///     // poll(&mut [runtime.as_raw_fd(), ...], rest.timeout_ms());
/// #   let _ = (runtime.as_raw_fd(), rest.timeout_ms());
/// }
/// ```
#[derive(Debug)]
pub struct Pollable {
    runtime: Runtime,
}

impl<const FILES: usize, const WORKERS: usize, const ROOT_OPS: usize, const SPARES: usize>
    RuntimeCell<FILES, WORKERS, ROOT_OPS, SPARES>
{
    /// [Starts](Self::start) the runtime for a loop that drives it from outside. Worker 0's ring is set up so that
    /// its file can be waited for: without deferred task work. What that costs has not been measured.
    ///
    /// # Errors
    /// [`StartError`], as for [`start`](Self::start).
    pub fn start_pollable(&'static self, config: Config) -> Result<Pollable, StartError> {
        self.start(config.pollable()).map(|runtime| Pollable { runtime })
    }
}

impl Runtime {
    /// When the next timer of this worker is due, or earlier: at that moment a turn is owed.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.seat.executor.next_deadline().map(|moment| self.instant(moment))
    }

    /// Whether another thread has asked the runtime to [close](super::Remote::request_close). Who turns it then
    /// closes or drops it.
    pub fn is_closing(&self) -> bool {
        self.seat.executor.is_closing()
    }

    fn instant(&self, moment: u64) -> Instant {
        Instant::now() + Duration::from_nanos(moment.saturating_sub(self.seat.now()))
    }
}

impl Pollable {
    /// Before this thread sleeps in a loop of its own, in poll(2) or epoll or another runtime: starts what is
    /// queued, and says whether and how long it may sleep. From then on the descriptor becomes readable when an
    /// operation completes, a task is woken or spawned from another thread, or something was done within
    /// [`enter`](Runtime::enter). Sleep at once, and turn afterwards, whatever ended the sleep.
    ///
    /// A thread that sleeps without asking, or in spite of [`Rest::No`], loses nothing: what waits is done in its
    /// next turn, late. Costs a system call when something is queued, else none. Under this ring's flags the kernel
    /// may interrupt the sleep to run its work: an `EINTR` from the poll is no error.
    ///
    /// # Panics
    /// When this thread is inside a turn of a runtime.
    pub fn prepare_to_sleep(&mut self) -> Rest {
        match self.runtime.seat.executor.prepare_to_sleep() {
            Wait::No => Rest::No,
            Wait::Forever => Rest::Forever,
            Wait::Until(moment) => Rest::Until(self.instant(moment)),
        }
    }

    /// The runtime, for [closing](Runtime::close) it, or as a loop of its own.
    pub fn into_inner(self) -> Runtime {
        self.runtime
    }
}

impl Deref for Pollable {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.runtime
    }
}

impl DerefMut for Pollable {
    fn deref_mut(&mut self) -> &mut Runtime {
        &mut self.runtime
    }
}

/// Readable while a turn would bring something, once the runtime was [asked](Pollable::prepare_to_sleep). Only
/// wait for it: reading is the runtime's.
impl AsFd for Pollable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: RT-1: the ring is open until the runtime's close, which takes it, and here it is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) }
    }
}

/// See `as_fd`.
impl AsRawFd for Pollable {
    fn as_raw_fd(&self) -> RawFd {
        self.seat.ring().as_raw_fd()
    }
}
