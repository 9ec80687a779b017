//! Stands in front of libc's `syscall`, through which both servers enter the ring: counts the calls of a thread, and
//! the time between them, which is the time of its own code. The system's split of a thread's time is by ticks, which
//! is too coarse for a server that is nearly always in the kernel.

use core::arch::asm;
use core::arch::x86_64::_rdtsc;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A stretch that is longer was interrupted by somebody else's work.
const STRETCH_MAX: u64 = 200_000;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static OWN: Cell<u64> = const { Cell::new(0) };
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// What a thread has done since its last look.
pub struct Seen {
    pub calls: u64,
    /// Cycles of the time stamp counter between calls.
    pub own: u64,
}

pub fn look() -> Seen {
    Seen { calls: CALLS.replace(0), own: OWN.replace(0) }
}

/// Nanoseconds of one cycle.
pub fn ns_per_cycle() -> f64 {
    let (begin, cycles) = (Instant::now(), now());
    std::thread::sleep(Duration::from_millis(20));
    begin.elapsed().as_nanos() as f64 / (now() - cycles) as f64
}

fn now() -> u64 {
    // SAFETY: every x86-64 has the counter.
    unsafe { _rdtsc() }
}

/// As libc's, for the calls of this program.
#[unsafe(no_mangle)]
extern "C" fn syscall(number: i64, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> i64 {
    let stretch = now().wrapping_sub(LEFT.get());
    if stretch < STRETCH_MAX {
        OWN.set(OWN.get() + stretch);
    }
    CALLS.set(CALLS.get() + 1);
    let done: i64;
    // SAFETY: the caller's call, as it asked for it.
    unsafe {
        asm!("syscall", inlateout("rax") number => done, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    LEFT.set(now());
    if (-4095..0).contains(&done) {
        // SAFETY: the thread's own place.
        unsafe { *libc::__errno_location() = -done as i32 };
        return -1;
    }
    done
}
