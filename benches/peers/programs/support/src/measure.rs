//! From a moment to another: time, processor time, allocations, system calls.

use crate::{Work, heap, system_calls};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::time::Instant;

static COUNTER: AtomicI32 = AtomicI32::new(-1);

/// Where a measurement began.
#[derive(Debug)]
pub struct Measured {
    wall: Instant,
    cpu_ns: u64,
    user_us: u64,
    heap: Option<[u64; 2]>,
    calls: Option<u64>,
}

fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn user_us() -> u64 {
    // SAFETY: zeroed is a valid usage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the usage outlives the call.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    usage.ru_utime.tv_sec as u64 * 1_000_000 + usage.ru_utime.tv_usec as u64
}

/// Counts this process's system calls from now on, in a run for counting.
pub fn count_calls() {
    if heap::counts().is_some() {
        COUNTER.store(system_calls::open(0).unwrap_or(-1), Relaxed);
    }
}

fn calls() -> Option<u64> {
    let counter = COUNTER.load(Relaxed);
    (counter >= 0).then(|| system_calls::read(counter))
}

impl Measured {
    pub fn begin() -> Self {
        let (heap, calls) = (heap::counts(), calls());
        Self { heap, calls, user_us: user_us(), cpu_ns: cpu_ns(), wall: Instant::now() }
    }

    /// Prints what `items` of the work took since the beginning, under the row's name.
    pub fn end(self, row: &str, items: u64) {
        let wall_ns = self.wall.elapsed().as_nanos();
        let cpu_ns = cpu_ns() - self.cpu_ns;
        let user_us = user_us() - self.user_us;
        let calls = calls().zip(self.calls).map(|(after, before)| after - before);
        let mut line =
            format!("figure {row} items {items} wall_ns {wall_ns} cpu_ns {cpu_ns} user_us {user_us}");
        if let (Some(after), Some(before)) = (heap::counts(), self.heap) {
            line += &format!(" allocations {} bytes {}", after[0] - before[0], after[1] - before[1]);
        }
        if let Some(calls) = calls {
            line += &format!(" calls {calls}");
        }
        println!("{line}");
    }
}

/// The first time to warm up, the second to be measured.
#[derive(Debug)]
pub struct Round<'a> {
    pub items: u64,
    measured: Option<(Measured, &'a str)>,
}

impl Round<'_> {
    pub fn end(self) {
        if let Some((begun, row)) = self.measured {
            begun.end(row, self.items);
        }
    }
}

/// A tenth of the work, then all of it. Each round begins as it is taken.
pub fn rounds(asked: &Work) -> impl Iterator<Item = Round<'_>> {
    [false, true].into_iter().map(|measured| Round {
        items: if measured { asked.items() } else { asked.items().div_ceil(10) },
        measured: measured.then(|| (Measured::begin(), &*asked.name)),
    })
}

/// The same, for work that is a closure.
pub async fn measure(asked: &Work, mut work: impl AsyncFnMut(u64)) {
    for round in rounds(asked) {
        work(round.items).await;
        round.end();
    }
}
