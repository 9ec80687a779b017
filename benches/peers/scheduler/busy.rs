//! Keeping workers busy, as tokio's benches do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

static STOP: AtomicBool = AtomicBool::new(false);
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Whether to go on.
pub fn go_on() -> bool {
    !STOP.load(Ordering::Relaxed)
}

/// Ten microseconds.
pub fn stall() {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_micros(10) {
        thread::yield_now();
    }
}

/// One of the busy tasks has ended.
pub fn ended() {
    RUNNING.fetch_sub(1, Ordering::Release);
}

/// Runs a program beside so many busy tasks, and waits for their end.
pub fn beside(tasks: usize, start: impl Fn(), run: impl FnOnce() -> Duration) -> Duration {
    STOP.store(false, Ordering::Relaxed);
    RUNNING.store(tasks, Ordering::Relaxed);
    (0..tasks).for_each(|_| start());
    let took = run();
    STOP.store(true, Ordering::Relaxed);
    while RUNNING.load(Ordering::Acquire) > 0 {
        thread::sleep(Duration::from_micros(50));
    }
    took
}
