//! Records as the trace-event format of Chrome, which Perfetto (ui.perfetto.dev) and `chrome://tracing` open.
//!
//! | events | what |
//! |---|---|
//! | `X`, category `poll` | a poll, on its worker's row |
//! | `X`, category `sleep` | a sleep |
//! | `b`, `n`, `e`, category `op` | an operation: begun; submitted, cancelled, orphaned, completed; its end |
//! | `i` | a task spawned, woken or done, tasks stolen, a doorbell rung |
//! | `M` | the rows' names |
//!
//! An operation ends when its result is taken; one whose result nobody takes, at its completion; one that is still in flight,
//! with the trace, and its `e` says so. Nothing is told of an operation whose begin is lost, so every `b` has its `e`.
//!
//! Nothing is allocated: what belongs to an operation is looked for behind its begin, as far as it takes.

use super::record::{Kind, Record, TIMER};
use super::ring::TraceRing;
use crate::memory::JsonText;
use core::fmt;

/// One worker's records, and how its row is called.
#[derive(Debug, Clone, Copy)]
pub struct Track<'a> {
    /// The row's name.
    pub name: &'a str,
    /// Its records.
    pub records: &'a TraceRing,
}

/// See [`chrome`].
#[derive(Debug, Clone, Copy)]
pub struct ChromeTrace<'a>(&'a [Track<'a>]);

/// The tracks as one JSON text, of whatever is there while it is written; times count from the earliest record.
///
/// ```
/// # use unboxed_core as unboxed;
/// use unboxed::observe::{TraceBuffer, Track, chrome};
///
/// static BUFFER: TraceBuffer<1024> = TraceBuffer::new();
/// let tracks = [Track { name: "worker 0", records: &BUFFER }];
/// println!("{}", chrome(&tracks));
/// ```
pub fn chrome<'a>(tracks: &'a [Track<'a>]) -> ChromeTrace<'a> {
    ChromeTrace(tracks)
}

impl fmt::Display for ChromeTrace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begins = self.0.iter().flat_map(|track| track.records.records()).map(|record| record.at_ns);
        let base = begins.min().unwrap_or(0);
        f.write_str("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
        f.write_str(
            "\n{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":\"unboxed\"}}",
        )?;
        for (index, track) in self.0.iter().enumerate() {
            let name = JsonText(track.name);
            write!(
                f,
                ",\n{{\"ph\":\"M\",\"pid\":1,\"tid\":{index},\"name\":\"thread_name\",\"args\":{{\"name\":\"{name}\"}}}}"
            )?;
            let mut row = Row { f: &mut *f, tracks: self.0, index, base };
            for at in track.records.oldest()..track.records.head() {
                row.tell(at)?;
            }
        }
        f.write_str("\n]}\n")
    }
}

fn record(ring: &TraceRing, at: u64) -> Option<Record> {
    ring.read(at).and_then(Record::from_words)
}

/// What is known of an operation behind its begin, in nanoseconds.
#[derive(Default)]
struct Life {
    submitted: Option<u64>,
    cancelled: Option<u64>,
    orphaned: Option<u64>,
    completed: Option<u64>,
    taken: Option<u64>,
    /// The latest that was seen.
    last: u64,
}

/// The slot of an operation, without its activation.
const SLOT: u64 = 0xffff_ffff_ffff;

impl Life {
    fn of(begin: &Record, at: u64, tracks: &[Track<'_>], index: usize) -> Self {
        let own = tracks[index].records;
        let mut life = Self { last: begin.at_ns, ..Self::default() };
        if begin.mark & TIMER != 0 {
            life.submitted = Some(begin.at_ns);
        }
        for record in (at + 1..own.head()).filter_map(|at| record(own, at)) {
            life.last = life.last.max(record.at_ns);
            if record.kind == Kind::Submitted && life.submitted.is_none() {
                life.submitted = Some(record.at_ns);
            }
            if record.kind == Kind::Queued && record.subject & SLOT == begin.subject & SLOT {
                break;
            }
            if record.subject == begin.subject && life.follows(&record) {
                return life;
            }
        }
        if life.completed.is_some() && life.orphaned.is_none() {
            life.taken = tracks.iter().enumerate().filter(|(i, _)| *i != index).find_map(|(_, track)| {
                let mut records = track.records.records();
                let taken = records.find(|r| r.kind == Kind::Taken && r.subject == begin.subject)?;
                Some(taken.at_ns)
            });
        }
        life
    }

    /// One more record of the operation's; true when it is the last one.
    fn follows(&mut self, record: &Record) -> bool {
        let place = match record.kind {
            Kind::Cancelled => &mut self.cancelled,
            Kind::Orphaned => &mut self.orphaned,
            Kind::Completed => &mut self.completed,
            Kind::Taken => &mut self.taken,
            _ => return false,
        };
        place.get_or_insert(record.at_ns);
        self.taken.is_some() || (self.completed.is_some() && self.orphaned.is_some())
    }
}

struct Row<'a, 'f, 'b> {
    f: &'a mut fmt::Formatter<'f>,
    tracks: &'b [Track<'b>],
    index: usize,
    base: u64,
}

impl Row<'_, '_, '_> {
    fn tell(&mut self, at: u64) -> fmt::Result {
        let Some(record) = record(self.tracks[self.index].records, at) else { return Ok(()) };
        let (task, value) = (JsonText(record.task()), record.value);
        match record.kind {
            Kind::Poll => {
                self.head('X', record.at_ns)?;
                let slow = record.is_slow();
                self.micros("dur", value.into())?;
                write!(
                    self.f,
                    ",\"cat\":\"poll\",\"name\":\"{task}\",\"args\":{{\"task\":\"{:#x}\",\"slow\":{slow}}}}}",
                    record.subject
                )
            }
            Kind::Slept => {
                self.head('X', record.at_ns)?;
                write!(self.f, ",\"dur\":{value},\"cat\":\"sleep\",\"name\":\"sleep\"}}")
            }
            Kind::Spawned => self.instant(&record, format_args!("spawn {task}")),
            Kind::Woken => self.instant(&record, format_args!("wake {task}")),
            Kind::Done => self.instant(&record, format_args!("{task} is done")),
            Kind::Stole => self.instant(&record, format_args!("stole {value}")),
            Kind::Rang => self.instant(&record, format_args!("rang worker {value}")),
            Kind::Queued => self.operation(&record, at),
            Kind::Submitted | Kind::Completed | Kind::Taken | Kind::Cancelled | Kind::Orphaned => Ok(()),
        }
    }

    /// What all events begin with.
    fn head(&mut self, phase: char, at_ns: u64) -> fmt::Result {
        write!(self.f, ",\n{{\"ph\":\"{phase}\",\"pid\":1,\"tid\":{}", self.index)?;
        self.micros("ts", at_ns.saturating_sub(self.base))
    }

    /// The format's unit, with the nanoseconds behind the point.
    fn micros(&mut self, name: &str, ns: u64) -> fmt::Result {
        write!(self.f, ",\"{name}\":{}.{:03}", ns / 1000, ns % 1000)
    }

    fn instant(&mut self, record: &Record, name: fmt::Arguments<'_>) -> fmt::Result {
        self.head('i', record.at_ns)?;
        write!(self.f, ",\"s\":\"t\",\"name\":\"{name}\"")?;
        match record.subject {
            0 => self.f.write_str("}"),
            subject => write!(self.f, ",\"args\":{{\"task\":\"{subject:#x}\"}}}}"),
        }
    }

    fn operation(&mut self, begin: &Record, at: u64) -> fmt::Result {
        let life = Life::of(begin, at, self.tracks, self.index);
        let (name, task) = (begin.operation(), JsonText(begin.task()));
        self.phase('b', begin, begin.at_ns, name)?;
        write!(self.f, ",\"args\":{{\"task\":\"{task}\"}}}}")?;
        let phases = [
            ("submitted", life.submitted),
            ("cancelled", life.cancelled),
            ("orphaned", life.orphaned),
            ("completed", life.completed),
        ];
        for (phase, at_ns) in phases {
            if let Some(at_ns) = at_ns {
                self.phase('n', begin, at_ns, phase)?;
                self.f.write_str("}")?;
            }
        }
        let (end, how) = match (life.taken, life.completed) {
            (Some(at_ns), _) => (at_ns, "taken"),
            (None, Some(at_ns)) => (at_ns, "not taken"),
            (None, None) => (life.last, "in flight"),
        };
        self.phase('e', begin, end, name)?;
        write!(self.f, ",\"args\":{{\"end\":\"{how}\"}}}}")
    }

    fn phase(&mut self, phase: char, begin: &Record, at_ns: u64, name: &str) -> fmt::Result {
        self.head(phase, at_ns)?;
        write!(self.f, ",\"cat\":\"op\",\"id\":\"{:#x}\",\"name\":\"{name}\"", begin.subject)
    }
}
