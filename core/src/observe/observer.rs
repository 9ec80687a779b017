//! A worker's part of what is observed: what its hooks write.
//!
//! | field | who touches it, when |
//! |---|---|
//! | `observation` | everyone: whoever turns it on or off writes |
//! | `began`, `body` | written by the owner around each poll, read by everyone (POLLING-1) |
//! | `poll_ns`, `wait_ns`, `slow_polls`, `ready_max`, `in_flight_max` | written by the owner, read by everyone |
//! | all others | the owner |
//!
//! POLLING-1: `began` is zero between polls, and `body` is stored, with release, only while it is zero. So who reads the same
//! `began` other than zero before and after it reads `body`, with acquire, has the two of one poll. `body` is a
//! `&'static TaskVtable`, or null.

use super::buckets::Buckets;
use super::observation::{Observation, Records, SlowPoll};
use super::record::Record;
use super::ring::TraceRing;
use crate::atomics::{AtomicCount, AtomicPtr, Ordering};
use crate::exec::{Counter, Gauge, Worker};
use crate::task::TaskVtable;
use core::cell::Cell;
use core::ptr;

/// See the module.
pub(crate) struct Observer {
    observation: AtomicPtr<Observation>,
    began: AtomicCount,
    body: AtomicPtr<TaskVtable>,
    pub poll_ns: Buckets,
    pub wait_ns: Buckets,
    pub slow_polls: Counter,
    pub ready_max: Gauge,
    pub in_flight_max: Gauge,
    /// The clock's last reading in this turn, or zero.
    pub(super) last: Cell<u64>,
    /// Operations queued since the loop was last entered.
    pub(super) queued: Cell<u32>,
    /// The longest poll of this turn that was too long.
    pub(super) slow: Cell<Option<SlowPoll>>,
    /// The ring's head at the begin of the turn.
    told: Cell<u64>,
}

impl core::fmt::Debug for Observer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Observer({:?})", self.observation())
    }
}

impl Observer {
    pub const fn new() -> Self {
        Self {
            observation: AtomicPtr::new(ptr::null_mut()),
            began: AtomicCount::new(0),
            body: AtomicPtr::new(ptr::null_mut()),
            poll_ns: Buckets::new(),
            wait_ns: Buckets::new(),
            slow_polls: Counter::new(),
            ready_max: Gauge::new(),
            in_flight_max: Gauge::new(),
            last: Cell::new(0),
            queued: Cell::new(0),
            slow: Cell::new(None),
            told: Cell::new(0),
        }
    }

    /// What is observed now, if anything is.
    #[inline]
    pub fn observation(&self) -> Option<&'static Observation> {
        // SAFETY: OBSERVE-1: only `observe` stores it, a `&'static`.
        unsafe { self.observation.load(Ordering::Acquire).as_ref() }
    }

    pub fn observe(&self, observation: Option<&'static Observation>) {
        let observation = observation.map_or(ptr::null(), ptr::from_ref);
        self.observation.store(observation.cast_mut(), Ordering::Release);
    }

    /// POLLING-1.
    #[inline]
    pub fn begin_poll(&self, at: u64, body: &'static TaskVtable) {
        self.body.store(ptr::from_ref(body).cast_mut(), Ordering::Release);
        self.began.store(at.max(1), Ordering::Release);
    }

    /// POLLING-1.
    #[inline]
    pub fn end_poll(&self) {
        self.began.store(0, Ordering::Release);
    }

    /// The poll that goes on now, and since when. From any thread.
    pub fn polling(&self) -> Option<(&'static str, u64)> {
        let began = self.began.load(Ordering::Acquire);
        let body = self.body.load(Ordering::Acquire);
        if began == 0 || self.began.load(Ordering::Acquire) != began {
            return None;
        }
        // SAFETY: POLLING-1.
        Some((unsafe { body.as_ref() }?.name, began))
    }
}

impl Worker {
    /// What is observed on this worker.
    #[inline]
    pub(super) fn observed(&self) -> Option<Observed<'_>> {
        self.observer.observation().map(|observation| Observed { worker: self, observation })
    }
}

/// A worker that is observed now.
#[derive(Clone, Copy)]
pub(super) struct Observed<'a> {
    pub worker: &'a Worker,
    pub observation: &'static Observation,
}

impl Observed<'_> {
    /// The clock now.
    #[inline]
    pub fn now(self) -> u64 {
        let now = (self.observation.clock)();
        self.worker.observer.last.set(now);
        now
    }

    /// The clock's last reading in this turn.
    #[inline]
    pub fn last(self) -> u64 {
        match self.worker.observer.last.get() {
            0 => self.now(),
            last => last,
        }
    }

    #[inline]
    pub fn ring(self) -> Option<&'static TraceRing> {
        self.observation.rings[self.worker.index.get() as usize]
    }

    /// One more record; on the worker's thread.
    #[inline]
    pub fn record(self, record: Record) {
        if let Some(ring) = self.ring() {
            ring.push(record.to_words());
        }
    }

    /// The begin of a turn.
    pub fn begin_turn(self) {
        let observer = &self.worker.observer;
        // After a panic the poll's end did not come.
        observer.end_poll();
        observer.last.set(0);
        observer.told.set(self.ring().map_or(0, TraceRing::head));
        let ready = self.worker.queue.len() + self.worker.ring.len() as u32;
        observer.ready_max.set(observer.ready_max.get().max(ready));
    }

    /// The end of a turn: foreign code, outside of everything.
    pub fn end_turn(self) {
        let (observer, index) = (&self.worker.observer, self.worker.index.get() as usize);
        if let Some(slow) = observer.slow.take() {
            (self.observation.report)(&slow);
        }
        let (Some(tracer), Some(ring)) = (self.observation.tracer, self.ring()) else { return };
        let end = ring.head();
        let begin = observer.told.replace(end).min(end);
        if begin != end {
            tracer.turn_ended(index, Records { ring, next: begin.max(ring.oldest()), end });
        }
    }
}
