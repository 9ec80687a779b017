//! What the plain thread waits at, the same for all runtimes.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Wakes of one that sleeps, in one round.
pub const SLEEPS: usize = 50;
/// Longer than any worker looks around.
const UNTIL_ASLEEP: Duration = Duration::from_micros(400);
/// Tasks that wait to be woken.
pub const SLEEPERS: usize = 64;
/// So often each is woken in a round.
const WAKES: usize = 100;

/// Opens for one who waits.
pub struct Gate {
    open: Mutex<usize>,
    changed: Condvar,
}

pub static GATE: Gate = Gate { open: Mutex::new(0), changed: Condvar::new() };
/// Tasks that have not ended.
pub static LEFT: AtomicUsize = AtomicUsize::new(0);
/// Polls of those that wait to be woken.
pub static POLLED: AtomicUsize = AtomicUsize::new(0);
/// Their wakers.
pub static WAKERS: Mutex<Vec<Waker>> = Mutex::new(Vec::new());

impl Gate {
    pub fn open(&self) {
        *self.open.lock().expect("no panic") += 1;
        self.changed.notify_one();
    }

    /// Waits until it was opened.
    pub fn wait(&self) {
        let mut open = self.open.lock().expect("no panic");
        while *open == 0 {
            open = self.changed.wait(open).expect("no panic");
        }
        *open -= 1;
    }
}

/// One less; the last one opens the gate.
pub fn count_down() {
    if LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        GATE.open();
    }
}

/// A program that runs until the gate opens.
pub fn timed(left: usize, start: impl FnOnce()) -> Duration {
    LEFT.store(left, Ordering::Relaxed);
    let begin = Instant::now();
    start();
    GATE.wait();
    begin.elapsed()
}

/// A poll of one that waits to be woken, for ever.
pub fn poll_sleeper(registered: &mut bool, cx: &Context<'_>) -> Poll<()> {
    if !std::mem::replace(registered, true) {
        WAKERS.lock().expect("no panic").push(cx.waker().clone());
    }
    POLLED.fetch_add(1, Ordering::Release);
    if LEFT.load(Ordering::Relaxed) > 0 {
        count_down();
    }
    Poll::Pending
}

/// Spins, and lets others on its processor run now and then: one of the workers may be there.
fn wait_for(polls: usize) {
    let mut looks = 0u32;
    while POLLED.load(Ordering::Acquire) < polls {
        looks += 1;
        if looks.is_multiple_of(64) {
            thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

/// Waits for so many sleepers' first poll, and takes their wakers.
pub fn sleepers(count: usize) -> Vec<Waker> {
    wait_for(count);
    std::mem::take(&mut *WAKERS.lock().expect("no panic"))
}

/// Wakes all of them, again and again, each time when all have run.
pub fn wake_all(wakers: &[Waker]) -> Duration {
    let wake = || wakers.iter().for_each(Waker::wake_by_ref);
    (0..WAKES).map(|_| timed(wakers.len(), wake)).sum()
}

/// Wakes one whose worker sleeps, again and again. The pauses in between do not count.
pub fn wake_asleep(waker: &Waker) -> Duration {
    POLLED.store(0, Ordering::Relaxed);
    (1..=SLEEPS)
        .map(|round| {
            thread::sleep(UNTIL_ASLEEP);
            let begin = Instant::now();
            waker.wake_by_ref();
            wait_for(round);
            begin.elapsed()
        })
        .sum()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs futures to their end on this plain thread, one after another.
pub fn block_on_each<F: Future>(futures: impl Iterator<Item = F>) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    for future in futures {
        let mut future = pin!(future);
        while future.as_mut().poll(&mut cx).is_pending() {
            thread::park();
        }
    }
}
