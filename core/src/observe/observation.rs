//! What to observe, for how long nobody knows: a static, to which workers are pointed.

use super::record::Record;
use super::ring::TraceRing;
use crate::exec::WORKERS_MAX;
use core::fmt;

/// A poll that took longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowPoll {
    /// The task's name.
    pub task: &'static str,
    /// The worker on which it ran.
    pub worker: usize,
    /// How long the poll took, in nanoseconds.
    pub ns: u64,
    /// How many other polls of the same turn took longer than the limit, and less than this one.
    pub others: u32,
}

impl fmt::Display for SlowPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, worker, ns, others } = self;
        let (ms, us) = (ns / 1_000_000, ns / 1000 % 1000);
        write!(f, "a poll of task `{task}` kept worker {worker} for {ms}.{us:03} ms")?;
        if *others > 0 {
            write!(f, ", and {others} more polls of that turn were too long")?;
        }
        f.write_str(": give way with `yield_now().await`, or do the work elsewhere")
    }
}

/// Takes a worker's records as they come.
///
/// It is called at the end of a turn that has written records, on the worker's thread, and nowhere else: no lock is held,
/// nothing is being reaped, and no task is being polled. Meanwhile the worker does nothing. It may wake and spawn; it must not
/// turn a runtime, which panics. A panic leaves through the turn, as a task's does, and loses nothing but the rest of what the
/// tracer wanted.
///
/// The methods do nothing unless they are written. `()` is a tracer that does nothing.
pub trait Tracer: Sync {
    /// The records of one turn of `worker`. Those that the turn itself overwrote, in a buffer that is too small for it, are
    /// left out.
    fn turn_ended(&self, worker: usize, records: Records<'_>) {
        let _ = (worker, records);
    }
}

impl Tracer for () {}

/// Some of a ring's records, oldest first. What the worker overwrites meanwhile is left out.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    pub(crate) ring: &'a TraceRing,
    pub(crate) next: u64,
    pub(crate) end: u64,
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while self.next < self.end {
            let index = self.next;
            self.next += 1;
            if let Some(record) = self.ring.read(index).and_then(Record::from_words) {
                return Some(record);
            }
        }
        None
    }
}

impl TraceRing {
    /// What is there now, oldest first. From any thread.
    pub fn records(&self) -> Records<'_> {
        Records { ring: self, next: self.oldest(), end: self.head() }
    }

    /// How many records were written.
    pub fn written(&self) -> u64 {
        self.head()
    }

    /// How many of them are gone.
    pub fn lost(&self) -> u64 {
        self.oldest()
    }
}

/// What [`Remote::observe`](crate::exec::Remote::observe) turns on: timed polls always, records for the workers that have
/// a buffer.
///
/// ```
/// # use unboxed_core as unboxed;
/// use unboxed::observe::{Observation, SlowPoll, TraceBuffer};
///
/// fn clock() -> u64 {
/// #   0
///     // Reads a timer of the machine's.
/// }
///
/// fn report(poll: &SlowPoll) {
///     eprintln!("{poll}");
/// }
///
/// static BUFFERS: [TraceBuffer<4096>; 2] = [const { TraceBuffer::new() }; 2];
/// // SAFETY: CLOCK-1.
/// static OBSERVATION: Observation = unsafe { Observation::new(clock) }
///     .slow_polls(10_000_000, report)
///     .buffer(0, &BUFFERS[0])
///     .buffer(1, &BUFFERS[1]);
/// ```
pub struct Observation {
    pub(crate) clock: fn() -> u64,
    pub(crate) slow_ns: u64,
    pub(crate) report: fn(&SlowPoll),
    pub(crate) tracer: Option<&'static dyn Tracer>,
    pub(crate) rings: [Option<&'static TraceRing>; WORKERS_MAX],
}

impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buffers = self.rings.iter().flatten().count();
        f.debug_struct("Observation")
            .field("slow_ns", &self.slow_ns)
            .field("tracer", &self.tracer.is_some())
            .field("buffers", &buffers)
            .finish_non_exhaustive()
    }
}

impl Observation {
    /// Times polls by `clock`, in nanoseconds from any start, the same on all threads. It is called several times a poll,
    /// from every thread that wakes a task, also while completions are being reaped. The `unboxed` crate has
    /// `observe::observation`, with the system's clock.
    ///
    /// # Safety
    /// CLOCK-1: `clock` reads a clock and does nothing else: it calls nothing of the runtime's, and does not panic.
    pub const unsafe fn new(clock: fn() -> u64) -> Self {
        const fn nothing(_: &SlowPoll) {}
        Self { clock, slow_ns: u64::MAX, report: nothing, tracer: None, rings: [None; WORKERS_MAX] }
    }

    /// Counts polls that take longer than so many nanoseconds, and reports the longest one of each turn, at the turn's end;
    /// a [`Tracer`]'s rules are the function's too.
    pub const fn slow_polls(mut self, limit_ns: u64, report: fn(&SlowPoll)) -> Self {
        self.slow_ns = limit_ns;
        self.report = report;
        self
    }

    /// Writes the records of that worker into a buffer, which is that worker's from its first use on.
    ///
    /// # Panics
    /// When `worker` is 32 or more.
    pub const fn buffer(mut self, worker: usize, buffer: &'static TraceRing) -> Self {
        self.rings[worker] = Some(buffer);
        self
    }

    /// Gives every turn's records to a tracer.
    pub const fn tracer(mut self, tracer: &'static dyn Tracer) -> Self {
        self.tracer = Some(tracer);
        self
    }
}
