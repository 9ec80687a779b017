//! What is seen of a process from outside: its processor time, memory, system calls, and the page in which it counts its
//! allocations.

use crate::system_calls;
use std::fs;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// A page that a program shares with the harness; see `programs/support/src/heap.rs`.
#[derive(Debug)]
pub struct Page {
    fd: i32,
    /// Mapped for ever; there is one a workload.
    counts: &'static [AtomicU64; 2],
}

impl Page {
    /// A new page, which children inherit.
    pub fn new() -> Self {
        // SAFETY: the name outlives the call; a new mapping of a new file of a page's length.
        unsafe {
            let fd = libc::memfd_create(c"counts".as_ptr(), 0);
            assert!(fd >= 0 && libc::ftruncate(fd, 4096) == 0, "the system gives a page");
            let data = libc::mmap(null_mut(), 4096, libc::PROT_READ, libc::MAP_SHARED, fd, 0);
            assert!(data != libc::MAP_FAILED, "the system maps it");
            Self { fd, counts: &*data.cast() }
        }
    }

    pub fn fd(&self) -> i32 {
        self.fd
    }

    /// Allocations and their bytes so far.
    fn counts(&self) -> [u64; 2] {
        [self.counts[0].load(Relaxed), self.counts[1].load(Relaxed)]
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: it is ours, from `new`.
        unsafe { libc::close(self.fd) };
    }
}

/// Processor time of a process with all its threads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    pub total_ns: u64,
    /// Which share of it was in user mode: sampled by the kernel's tick, so it takes seconds to be right.
    user_ticks: u64,
    system_ticks: u64,
}

impl Cpu {
    pub fn of(process: u32) -> Self {
        let total_ns = threads(process).filter_map(|thread| {
            let text = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        let total_ns = total_ns.sum();
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let behind_name = stat.rsplit(')').next().unwrap_or_default();
        let field = |at: usize| behind_name.split_whitespace().nth(at).and_then(|word| word.parse().ok());
        Self { total_ns, user_ticks: field(11).unwrap_or(0), system_ticks: field(12).unwrap_or(0) }
    }

    /// Nanoseconds in all and user ticks, system ticks since `earlier`.
    pub fn since(self, earlier: Self) -> [u64; 3] {
        let user = self.user_ticks - earlier.user_ticks;
        [self.total_ns - earlier.total_ns, user, self.system_ticks - earlier.system_ticks]
    }
}

fn threads(process: u32) -> impl Iterator<Item = i32> {
    let folder = fs::read_dir(format!("/proc/{process}/task"));
    folder.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Resident bytes of a process.
pub fn resident_bytes(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let rss = text.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"));
    rss.and_then(|kib| kib.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Counts a server's allocations and system calls from its start on.
#[derive(Debug)]
pub struct Counter<'a> {
    page: &'a Page,
    counters: Vec<i32>,
    before: (Option<u64>, [u64; 2]),
}

impl<'a> Counter<'a> {
    pub fn begin(process: u32, page: &'a Page) -> Self {
        let counters = threads(process).filter_map(system_calls::open).collect();
        let mut counter = Self { page, counters, before: (None, [0; 2]) };
        counter.before = counter.now();
        counter
    }

    fn now(&self) -> (Option<u64>, [u64; 2]) {
        let calls = self.counters.iter().map(|&counter| system_calls::read(counter)).sum();
        ((!self.counters.is_empty()).then_some(calls), self.page.counts())
    }

    /// System calls, allocations and their bytes since the begin.
    pub fn end(self) -> (Option<u64>, [u64; 2]) {
        let (calls, [allocations, bytes]) = self.now();
        let calls = calls.zip(self.before.0).map(|(after, before)| after - before);
        (calls, [allocations - self.before.1[0], bytes - self.before.1[1]])
    }
}

impl Drop for Counter<'_> {
    fn drop(&mut self) {
        for &counter in &self.counters {
            // SAFETY: it is ours.
            unsafe { libc::close(counter) };
        }
    }
}

/// Processors of this machine.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
