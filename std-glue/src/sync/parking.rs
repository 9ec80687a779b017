//! The words on which plain threads sleep, and the futex by which they do.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::time::Duration;
use unboxed_core::memory::{MapNode, Mapped, Row};
use unboxed_core::sync::ParkingWord;

/// With more threads than words, some share one, and wake each other for nothing.
const WORDS: usize = 256;

/// So often a thread that spins in vain only yields. A real-time thread is not passed by others then, so that it would
/// wait for ever for one of them; it sleeps after that.
const YIELDS: u32 = 16;
const NAP: Duration = Duration::from_micros(50);

/// PARKING-1.
static TABLE: Table =
    Table { words: [const { ParkingWord::new() }; WORDS], given: AtomicU32::new(0), node: MapNode::new() };

struct Table {
    words: [ParkingWord; WORDS],
    /// Threads that have a word.
    given: AtomicU32,
    node: MapNode,
}

impl Mapped for Table {
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let given = WORDS.min(self.given.load(Ordering::Relaxed) as usize);
        tell(Row {
            kind: "parking",
            name: "words of blocking threads",
            address: ptr::from_ref(self).addr(),
            pieces: WORDS,
            piece_bytes: size_of::<ParkingWord>(),
            beside: size_of::<Self>() - size_of_val(&self.words),
            used: given,
            used_max: given,
        });
    }
}

fn word_of_this_thread() -> &'static ParkingWord {
    thread_local! {
        static MINE: Cell<Option<&'static ParkingWord>> = const { Cell::new(None) };
    }
    MINE.get().unwrap_or_else(|| {
        TABLE.node.show(&TABLE);
        let word = &TABLE.words[TABLE.given.fetch_add(1, Ordering::Relaxed) as usize % WORDS];
        MINE.set(Some(word));
        word
    })
}

/// Blocks this thread until the future is ready, or the deadline has passed.
pub(super) fn block<F: Future>(future: Pin<&mut F>, deadline: &Deadline) -> Option<F::Output> {
    rest_when_spinning();
    let word = word_of_this_thread();
    // SAFETY: PARKING-1: the pointer is to a word of the table, for every function of the vtable.
    let waker = unsafe { Waker::new(ptr::from_ref(word).cast(), &VTABLE) };
    word.block(future, &waker, |word, seen| sleep(word, seen, deadline))
}

/// Sleeps if the word is still `seen`; false when the deadline has passed.
fn sleep(word: &AtomicU32, seen: u32, deadline: &Deadline) -> bool {
    let timeout = deadline.0.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: PARKING-1; the deadline is borrowed for the call. The word is not private: its identity is the
    // memory's, not this process's mapping.
    let slept = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET,
            seen,
            timeout,
            ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
    slept == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ETIMEDOUT)
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(|word| RawWaker::new(word, &VTABLE), wake, wake, |_| ());

fn wake(word: *const ()) {
    // SAFETY: PARKING-1.
    unsafe { &*word.cast::<ParkingWord>() }.wake(|word| {
        // SAFETY: PARKING-1.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
    });
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

/// From now on a thread that spins in vain on a lock of the core gives its core away.
pub(crate) fn rest_when_spinning() {
    unboxed_core::sync::rest_with(|rests| {
        if rests < YIELDS {
            std::thread::yield_now();
        } else {
            std::thread::sleep(NAP);
        }
    });
}
