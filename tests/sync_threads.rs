//! Plain threads and tasks at the same primitives, on the real runtime.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use unboxed::rt::{Config, RuntimeCell};
use unboxed::sync::{Blocking, Mutex, Notify, OnceCell, RwLock, Semaphore, Threads, TimedOut};
use unboxed::yield_now;
use unboxed_tests::{Rng, for_seeds};

const TASKS: usize = 100;
const THREADS: usize = 10;
const ROUNDS: usize = 200;

static COUNT: Mutex<usize, Threads> = Mutex::with_domain(0);
static LIMIT: Semaphore<Threads> = Semaphore::with_domain(3);
static INSIDE: AtomicU32 = AtomicU32::new(0);
static ENTERED: AtomicU32 = AtomicU32::new(0);

fn enter() {
    let before = INSIDE.fetch_add(1, Ordering::SeqCst);
    assert!(before < 3, "{before} were inside already");
    ENTERED.fetch_add(1, Ordering::SeqCst);
}

fn leave() {
    INSIDE.fetch_sub(1, Ordering::SeqCst);
}

#[unboxed::task(pool = 100, ops = 0)]
async fn contend(rounds: usize) {
    for round in 0..rounds {
        let mut count = COUNT.lock().await;
        let seen = *count;
        if round % 8 == 0 {
            yield_now().await;
        }
        *count = seen + 1;
        drop(count);
        let permit = LIMIT.acquire(1).await.expect("open");
        enter();
        if round % 8 == 4 {
            yield_now().await;
        }
        leave();
        drop(permit);
    }
}

fn contend_blocking(rounds: usize) {
    for round in 0..rounds {
        let mut count = COUNT.lock().blocking();
        let seen = *count;
        if round % 8 == 0 {
            thread::yield_now();
        }
        *count = seen + 1;
        drop(count);
        let permit = LIMIT.acquire(1).blocking().expect("open");
        enter();
        leave();
        drop(permit);
    }
}

/// On one worker, and on three that share the tasks.
#[test]
fn ten_threads_and_a_hundred_tasks() {
    for workers in [1, 3] {
        ten_threads_and_a_hundred_tasks_on(workers);
    }
}

fn ten_threads_and_a_hundred_tasks_on(workers: usize) {
    static CELL: RuntimeCell<4, 3> = RuntimeCell::new();
    let config = Config::new().workers(workers);
    let Ok(mut runtime) = CELL.start(config) else { return println!("skipped: no ring") };
    *COUNT.try_lock().expect("free") = 0;
    ENTERED.store(0, Ordering::SeqCst);
    let threads: Vec<_> = (0..THREADS).map(|_| thread::spawn(|| contend_blocking(ROUNDS))).collect();
    runtime.block_on(async {
        let handles: Vec<_> = (0..TASKS).map(|_| contend::spawn(ROUNDS).expect("a block")).collect();
        for handle in handles {
            handle.await.expect("no panic");
        }
        // The threads may still want what this runtime's tasks have let go.
        let all = (TASKS + THREADS) * ROUNDS;
        while *COUNT.lock().await < all || (ENTERED.load(Ordering::SeqCst) as usize) < all {
            yield_now().await;
        }
    });
    for thread in threads {
        thread.join().expect("no panic");
    }
    let all = (TASKS + THREADS) * ROUNDS;
    assert_eq!(*COUNT.try_lock().expect("free"), all);
    assert_eq!(ENTERED.load(Ordering::SeqCst) as usize, all);
    assert_eq!((INSIDE.load(Ordering::SeqCst), LIMIT.available()), (0, 3));
}

#[test]
fn blocking_on_a_worker_is_refused() {
    static CELL: RuntimeCell<4, 2> = RuntimeCell::new();
    static FREE: Mutex<(), Threads> = Mutex::with_domain(());
    let Ok(mut runtime) = CELL.start(Config::new().workers(2)) else { return println!("skipped: no ring") };
    let refused = runtime.block_on(async {
        std::panic::catch_unwind(|| drop(FREE.lock().blocking())).expect_err("refused, though it is free")
    });
    let explains = |refused: Box<dyn std::any::Any + Send>| {
        let message = refused.downcast_ref::<&str>().expect("a message");
        assert!(message.contains("await the future instead"), "{message}");
    };
    explains(refused);
    // In tasks, on every worker's thread.
    runtime.block_on(async {
        for task in [(); 8].map(|()| blocks::spawn(&FREE).expect("a block")) {
            explains(task.await.expect("it catches the panic").expect_err("refused"));
        }
    });
    drop(FREE.lock().blocking());
    drop(runtime);
    drop(FREE.lock().blocking());
}

#[unboxed::task(pool = 8, ops = 0)]
async fn blocks(free: &'static Mutex<(), Threads>) -> thread::Result<()> {
    let blocking = || drop(free.lock().blocking_for(Duration::ZERO));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(blocking))
}

#[test]
fn a_deadline_passes_and_gives_up_the_place() {
    static HELD: Mutex<u32, Threads> = Mutex::with_domain(1);
    let guard = HELD.lock().blocking();
    let begin = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            let short = Duration::from_millis(20);
            assert_eq!(HELD.lock().blocking_for(short).expect_err("held"), TimedOut);
            assert!(begin.elapsed() >= short);
        });
    });
    let next = thread::spawn(|| *HELD.lock().blocking_for(Duration::MAX).expect("in time"));
    thread::sleep(Duration::from_millis(5));
    drop(guard);
    assert_eq!(next.join().expect("no panic"), 1);
}

#[test]
fn every_future_of_the_domain_blocks() {
    static LOCK: RwLock<u32, Threads> = RwLock::with_domain(0);
    static TOLD: Notify<Threads> = Notify::with_domain();
    static ONCE: OnceCell<u32, Threads> = OnceCell::with_domain();
    let makers: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(|| {
                *LOCK.write().blocking() += 1;
                TOLD.notify_one();
                *match ONCE.turn().blocking() {
                    Ok(value) => value,
                    Err(turn) => {
                        thread::sleep(Duration::from_millis(2));
                        turn.set(*LOCK.read().blocking())
                    }
                }
            })
        })
        .collect();
    TOLD.notified().blocking();
    let values: Vec<_> = makers.into_iter().map(|maker| maker.join().expect("no panic")).collect();
    assert!(values.iter().all(|&value| value == values[0]), "{values:?}");
    assert_eq!(*LOCK.read().blocking(), 8);
}

#[test]
fn close_wakes_those_who_block() {
    static NONE: Semaphore<Threads> = Semaphore::with_domain(0);
    let waiting: Vec<_> = (0..40).map(|_| thread::spawn(|| NONE.acquire(1).blocking().is_err())).collect();
    thread::sleep(Duration::from_millis(10));
    NONE.close();
    assert!(waiting.into_iter().all(|thread| thread.join().expect("no panic")));
}

/// Deadlines pass while the lock is just being handed over: nothing is lost, and nobody is let in twice.
#[test]
fn deadlines_race_with_hand_overs() {
    static VALUE: RwLock<u64, Threads> = RwLock::with_domain(0);
    static SLOTS: Semaphore<Threads> = Semaphore::with_domain(2);
    for_seeds(1, |seed| {
        let before = *VALUE.read().blocking();
        let threads: Vec<_> = (0..6)
            .map(|index| {
                thread::spawn(move || {
                    let mut rng = Rng::new(seed * 8 + index);
                    let mut written = 0;
                    for _ in 0..2000 {
                        let soon = Duration::from_micros(rng.below(60));
                        let Ok(permit) = SLOTS.acquire(1 + rng.below(2) as u32).blocking_for(soon) else {
                            continue;
                        };
                        if rng.below(2) == 0 {
                            let _ = VALUE.read().blocking_for(soon).map(|value| *value);
                        } else if let Ok(mut value) = VALUE.write().blocking_for(soon) {
                            *value += 1;
                            written += 1;
                        }
                        drop(permit.expect("open"));
                    }
                    written
                })
            })
            .collect();
        let written: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(*VALUE.try_write().expect("free"), before + written);
        assert_eq!(SLOTS.available(), 2);
    });
}

/// The holder of a raw lock may be off its core for long: who spins gives its core away.
#[test]
fn spinning_is_bounded() {
    use unboxed::sync::{RawLock, SpinLock};
    static RAW: SpinLock = SpinLock::NEW;
    static FIRST: Mutex<(), Threads> = Mutex::with_domain(());
    // Whoever blocks first in a process says how its threads rest.
    drop(FIRST.lock().blocking());
    RAW.lock();
    let spinner = thread::spawn(|| {
        let cpu = cpu_time();
        RAW.lock();
        // SAFETY: LOCK-1: locked above.
        unsafe { RAW.unlock(()) };
        cpu_time() - cpu
    });
    let held = Duration::from_millis(200);
    thread::sleep(held);
    // SAFETY: LOCK-1: locked above.
    unsafe { RAW.unlock(()) };
    let spun = spinner.join().expect("no panic");
    assert!(spun < held / 4, "{spun:?} of {held:?} spent spinning");
}

/// Of this thread.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes the time, which is ours.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
