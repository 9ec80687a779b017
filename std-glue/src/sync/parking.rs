//! The words on which plain threads sleep.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

/// With more threads than words, some share one, and wake each other for nothing.
const WORDS: usize = 256;

static TABLE: [Word; WORDS] =
    [const { Word { wakes: AtomicU32::new(0), sleepers: AtomicU32::new(0) } }; WORDS];

/// PARKING-1.
#[repr(align(64))]
pub(super) struct Word {
    /// Counts wakes; what a sleeper has seen tells whether one came since.
    wakes: AtomicU32,
    sleepers: AtomicU32,
}

impl Word {
    pub fn of_this_thread() -> &'static Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        thread_local! {
            static MINE: Cell<Option<&'static Word>> = const { Cell::new(None) };
        }
        MINE.get().unwrap_or_else(|| {
            let word = &TABLE[NEXT.fetch_add(1, Ordering::Relaxed) as usize % WORDS];
            MINE.set(Some(word));
            word
        })
    }

    pub fn waker(&'static self) -> Waker {
        // SAFETY: PARKING-1: the pointer is to a word of the table, for every function of the vtable.
        unsafe { Waker::new(ptr::from_ref(self).cast(), &VTABLE) }
    }

    pub fn seen(&self) -> u32 {
        self.wakes.load(Ordering::SeqCst)
    }

    /// Sleeps if no wake has come since `seen`; false when the deadline has passed.
    pub fn sleep(&self, seen: u32, deadline: &Deadline) -> bool {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        // PARKING-2; the kernel compares behind a barrier of its own.
        let timeout = deadline.0.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: PARKING-1; the deadline is borrowed for the call. The word is not private: its identity is the
        // memory's, not this process's mapping.
        let slept = unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.wakes.as_ptr(),
                libc::FUTEX_WAIT_BITSET,
                seen,
                timeout,
                ptr::null::<u32>(),
                libc::FUTEX_BITSET_MATCH_ANY,
            )
        };
        let error = if slept == 0 { None } else { std::io::Error::last_os_error().raw_os_error() };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        error != Some(libc::ETIMEDOUT)
    }

    /// All of them (PARKING-2): which of those who share the word is meant is not known.
    fn wake(&self) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) == 0 {
            return;
        }
        // SAFETY: PARKING-1.
        unsafe { libc::syscall(libc::SYS_futex, self.wakes.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(|word| RawWaker::new(word, &VTABLE), wake, wake, |_| ());

fn wake(word: *const ()) {
    // SAFETY: PARKING-1.
    unsafe { &*word.cast::<Word>() }.wake();
}

/// A time of the monotonic clock, or none.
pub(super) struct Deadline(Option<libc::timespec>);

impl Deadline {
    pub const NEVER: Self = Self(None);

    /// None when it lies beyond what the clock can tell.
    pub fn after(duration: Duration) -> Self {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: PARKING-1 is not touched: it writes the time, which is ours.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        let nanos = now.tv_nsec + libc::c_long::from(duration.subsec_nanos() as i32);
        let seconds = libc::time_t::try_from(duration.as_secs())
            .ok()
            .and_then(|seconds| now.tv_sec.checked_add(seconds)?.checked_add(nanos / 1_000_000_000));
        Self(seconds.map(|tv_sec| libc::timespec { tv_sec, tv_nsec: nanos % 1_000_000_000 }))
    }
}
