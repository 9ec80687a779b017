//! What one worker has counted, at one moment.
//!
//! The counters are read one after another while the worker goes on: each is right for itself, but two of them may be
//! some steps apart, and so may be what is computed of two: `completed` and `doorbells_spared`.

use super::histogram::Histogram;
use core::fmt;

/// One worker's counters and depths, in the caller's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Which worker.
    pub worker: usize,
    /// Polls of tasks.
    pub polls: u64,
    /// Operations given to the loop or the wheel.
    pub submitted: u64,
    /// Operations that have ended.
    pub completed: u64,
    /// Operations that have not, now.
    pub in_flight: u64,
    /// Operations whose future went away first.
    pub orphaned: u64,
    /// Operations that waited because the loop was full.
    pub starved: u64,
    /// Spare slots taken.
    pub spares_taken: u64,
    /// Completions for activations that were gone.
    pub stale_completions: u64,
    /// Tasks whose body panicked.
    pub panics: u64,
    /// Tasks taken from other workers.
    pub stolen: u64,
    /// Times that the ring was full, and half of it went to everybody.
    pub spilled: u64,
    /// Sleeps that it announced.
    pub sleeps: u64,
    /// Tasks and slots that others left in its inboxes.
    pub messages: u64,
    /// Times that another thread rang its doorbell for a message.
    pub doorbells: u64,
    /// Messages for which nobody rang, since it was awake.
    pub doorbells_spared: u64,
    /// Times that it was woken to look for work.
    pub calls: u64,
    /// Tasks in its ring now, of those that may move.
    pub ring: u64,
    /// Tasks that wait for any of the workers now.
    pub outside: u64,
    /// How long polls took, in nanoseconds. Empty where polls are not timed.
    pub poll_ns: Histogram,
    /// How long ready tasks waited for their poll, in nanoseconds. Empty where polls are not timed.
    pub wait_ns: Histogram,
    /// Polls that took longer than the limit.
    pub slow_polls: u64,
    /// The most ready tasks that a turn began with, while polls were timed.
    pub ready_max: u64,
    /// The most operations in flight after a turn's polls, while polls were timed.
    pub in_flight_max: u64,
}

/// The numbers, with their names in both forms.
const NUMBERS: usize = 21;

impl Snapshot {
    /// All zeros: a place to read into.
    pub const fn new() -> Self {
        Self {
            worker: 0,
            polls: 0,
            submitted: 0,
            completed: 0,
            in_flight: 0,
            orphaned: 0,
            starved: 0,
            spares_taken: 0,
            stale_completions: 0,
            panics: 0,
            stolen: 0,
            spilled: 0,
            sleeps: 0,
            messages: 0,
            doorbells: 0,
            doorbells_spared: 0,
            calls: 0,
            ring: 0,
            outside: 0,
            poll_ns: Histogram::new(),
            wait_ns: Histogram::new(),
            slow_polls: 0,
            ready_max: 0,
            in_flight_max: 0,
        }
    }

    fn numbers(&self) -> [(&'static str, u64); NUMBERS] {
        [
            ("polls", self.polls),
            ("submitted", self.submitted),
            ("completed", self.completed),
            ("in_flight", self.in_flight),
            ("orphaned", self.orphaned),
            ("starved", self.starved),
            ("spares_taken", self.spares_taken),
            ("stale_completions", self.stale_completions),
            ("panics", self.panics),
            ("stolen", self.stolen),
            ("spilled", self.spilled),
            ("sleeps", self.sleeps),
            ("messages", self.messages),
            ("doorbells", self.doorbells),
            ("doorbells_spared", self.doorbells_spared),
            ("calls", self.calls),
            ("ring", self.ring),
            ("outside", self.outside),
            ("slow_polls", self.slow_polls),
            ("ready_max", self.ready_max),
            ("in_flight_max", self.in_flight_max),
        ]
    }

    fn histograms(&self) -> [(&'static str, &Histogram); 2] {
        [("poll_ns", &self.poll_ns), ("wait_ns", &self.wait_ns)]
    }

    /// As lines of a name and a number; a histogram has a line for each percentile.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::observe::Snapshot;
    ///
    /// assert!(Snapshot::new().text().to_string().starts_with("worker 0\npolls 0\n"));
    /// ```
    pub const fn text(&self) -> SnapshotText<'_> {
        SnapshotText(self)
    }

    /// As a JSON object; a histogram is an object of its percentiles.
    pub const fn json(&self) -> SnapshotJson<'_> {
        SnapshotJson(self)
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::new()
    }
}

/// What is told of a histogram.
fn points(of: &Histogram) -> [(&'static str, u64); 6] {
    [
        ("count", of.count()),
        ("p50", of.percentile(50.0)),
        ("p90", of.percentile(90.0)),
        ("p99", of.percentile(99.0)),
        ("p999", of.percentile(99.9)),
        ("max", of.max()),
    ]
}

/// See [`Snapshot::text`].
#[derive(Debug, Clone, Copy)]
pub struct SnapshotText<'a>(&'a Snapshot);

impl fmt::Display for SnapshotText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "worker {}", self.0.worker)?;
        for (name, number) in self.0.numbers() {
            writeln!(f, "{name} {number}")?;
        }
        for (name, histogram) in self.0.histograms() {
            for (point, value) in points(histogram) {
                writeln!(f, "{name}.{point} {value}")?;
            }
        }
        Ok(())
    }
}

/// See [`Snapshot::json`].
#[derive(Debug, Clone, Copy)]
pub struct SnapshotJson<'a>(&'a Snapshot);

impl fmt::Display for SnapshotJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"worker\":{}", self.0.worker)?;
        for (name, number) in self.0.numbers() {
            write!(f, ",\"{name}\":{number}")?;
        }
        for (name, histogram) in self.0.histograms() {
            write!(f, ",\"{name}\":{{")?;
            for (index, (point, value)) in points(histogram).into_iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(f, "{comma}\"{point}\":{value}")?;
            }
            f.write_str("}")?;
        }
        f.write_str("}")
    }
}
