//! Interrupts: the domain `Interrupts`, on the standard library's implementation of `critical-section`, and a domain of
//! a port's own, whose interrupts are signals that come between any two instructions.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::thread;
use std::time::{Duration, Instant};
use unboxed_core::channel::{Channel, Oneshot, Watch};
use unboxed_core::op::{Completer, Completions};
use unboxed_core::sync::{Domain, Interrupts, Mutex, Notify, OnceCell, RawLock, RwLock, Semaphore, Shared};

static COUNT: Mutex<u32, Interrupts> = Mutex::with_domain(0);
static PERMITS: Semaphore<Interrupts> = Semaphore::with_domain(0);
static PRESSED: Notify<Interrupts> = Notify::with_domain();

/// Polls until it is ready, as a task whose waker does nothing.
fn spin<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        thread::yield_now();
    }
}

#[test]
fn threads_that_play_interrupts_lose_nothing() {
    let interrupts: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                for _ in 0..1000 {
                    *spin(COUNT.lock()) += 1;
                    PERMITS.add_permits(1);
                }
                PRESSED.notify_one();
            })
        })
        .collect();
    spin(PRESSED.notified());
    spin(PERMITS.acquire(4000)).expect("open").forget();
    for interrupt in interrupts {
        interrupt.join().expect("no panic");
    }
    assert_eq!((*spin(COUNT.lock()), PERMITS.available()), (4000, 0));
}

/// Within a critical section the program may use a primitive: the lock nests.
#[test]
fn a_critical_section_may_use_them() {
    static FLAG: Notify<Interrupts> = Notify::with_domain();
    critical_section::with(|_| FLAG.notify_one());
    spin(FLAG.notified());
}

/// The rest of what `Tasks` has.
#[test]
fn everything_works_in_the_domain() {
    static TABLE: RwLock<u32, Interrupts> = RwLock::with_domain(0);
    static ONCE: OnceCell<u32, Interrupts> = OnceCell::with_domain();
    static VALUES: Channel<u32, 2, Interrupts> = Channel::with_domain();
    static ANSWER: Oneshot<u32, Interrupts> = Oneshot::with_domain();
    static LEVEL: Watch<u32, Interrupts> = Watch::with_domain(0);
    static DONE: Completions<u32, 1, Interrupts> = Completions::with_domain();
    let mut watcher = LEVEL.watcher();
    let mut receiver = ANSWER.receiver().expect("free");
    let (completer, completion) = DONE.completion().expect("free");
    let interrupt = thread::spawn(move || {
        *spin(TABLE.write()) += 1;
        (0..100).for_each(|value| spin(VALUES.send(value)).expect("open"));
        VALUES.close();
        ANSWER.sender().expect("free").send(5).expect("the receiver is there");
        LEVEL.send(6).expect("open");
        completer.fire(7).expect("somebody waits");
    });
    let made = *spin(ONCE.get_or_init(async || 4));
    let sum: u32 = std::iter::from_fn(|| spin(VALUES.recv()).ok()).sum();
    assert_eq!((made, sum, spin(receiver.recv())), (4, 99 * 50, Ok(5)));
    spin(watcher.changed()).expect("open");
    assert_eq!((LEVEL.get(), spin(completion), *spin(TABLE.read())), (6, Ok(7), 1));
    interrupt.join().expect("no panic");
}

/// The one thread of this test, and the signal that interrupts it.
struct Signals;

/// Masks the signal.
#[derive(Default)]
struct Masked(());

impl Domain for Signals {
    type Raw = Masked;
}

fn mask(how: libc::c_int, set: &libc::sigset_t) -> libc::sigset_t {
    let mut old = std::mem::MaybeUninit::uninit();
    // SAFETY: both are sets of this frame.
    unsafe {
        assert_eq!(libc::pthread_sigmask(how, set, old.as_mut_ptr()), 0);
        old.assume_init()
    }
}

// SAFETY: LOCK-1: who contends is one thread and its signal, which is masked meanwhile.
unsafe impl RawLock for Masked {
    const NEW: Self = Self(());
    type Token = libc::sigset_t;

    fn lock(&self) -> libc::sigset_t {
        let mut signal = std::mem::MaybeUninit::uninit();
        // SAFETY: the set is made empty, and then has one signal.
        let signal = unsafe {
            libc::sigemptyset(signal.as_mut_ptr());
            libc::sigaddset(signal.as_mut_ptr(), libc::SIGUSR1);
            signal.assume_init()
        };
        mask(libc::SIG_BLOCK, &signal)
    }

    unsafe fn unlock(&self, before: libc::sigset_t) {
        mask(libc::SIG_SETMASK, &before);
    }
}

// SAFETY: the statics of this domain are used by one thread only, and its signal.
unsafe impl Shared for Signals {}

/// What the signal does, between any two instructions of the program.
mod handler {
    use super::*;

    pub static TOLD: Notify<Signals> = Notify::with_domain();
    pub static PERMITS: Semaphore<Signals> = Semaphore::with_domain(0);
    pub static VALUES: Channel<u32, 2, Signals> = Channel::with_domain();
    pub static LEVEL: Watch<u32, Signals> = Watch::with_domain(0);
    pub static ONCE: OnceCell<u32, Signals> = OnceCell::with_domain();
    pub static COUNT: Mutex<u32, Signals> = Mutex::with_domain(0);
    pub static TABLE: RwLock<u32, Signals> = RwLock::with_domain(0);
    pub static DONE: Completions<u32, 1, Signals> = Completions::with_domain();
    pub static TO_FIRE: Mutex<Option<Completer<'static, u32, Signals>>, Signals> = Mutex::with_domain(None);
    /// How often it ran, and how often it got the mutex and the table.
    pub static RUNS: AtomicU32 = AtomicU32::new(0);
    pub static COUNTED: AtomicU32 = AtomicU32::new(0);
    pub static WRITTEN: AtomicU32 = AtomicU32::new(0);

    pub extern "C" fn run(_: libc::c_int) {
        let run = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
        TOLD.notify_one();
        PERMITS.add_permits(1);
        let _ = VALUES.try_send(run);
        let _ = LEVEL.send(run);
        let _ = ONCE.set(run);
        if let Some(mut count) = COUNT.try_lock() {
            *count += 1;
            COUNTED.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(mut table) = TABLE.try_write() {
            *table += 1;
            WRITTEN.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(completer) = TO_FIRE.try_lock().and_then(|mut place| place.take()) {
            let _ = completer.fire(run);
        }
    }
}

/// Polls when it is woken, and only then.
fn wait<F: Future>(future: F) -> F::Output {
    static WOKEN: AtomicBool = AtomicBool::new(false);
    const VTABLE: &RawWakerVTable = &RawWakerVTable::new(
        |data| RawWaker::new(data, VTABLE),
        |_| WOKEN.store(true, Ordering::SeqCst),
        |_| WOKEN.store(true, Ordering::SeqCst),
        |_| (),
    );
    // SAFETY: the functions use no data.
    let waker = unsafe { Waker::new(std::ptr::null(), VTABLE) };
    let mut future = pin!(future);
    loop {
        WOKEN.store(false, Ordering::SeqCst);
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let begin = Instant::now();
        while !WOKEN.load(Ordering::SeqCst) {
            assert!(begin.elapsed() < Duration::from_secs(20), "forgotten by an interrupt");
        }
    }
}

#[test]
fn signals_at_any_instruction_lose_nothing() {
    use handler::*;
    const ROUNDS: u32 = 3000;
    // SAFETY: the handler does what a signal's handler may: it touches what is masked meanwhile, and atomics.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = run as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
    static STOP: AtomicBool = AtomicBool::new(false);
    // SAFETY: it only names this thread.
    let this = unsafe { libc::pthread_self() };
    let source = thread::spawn(move || {
        while !STOP.load(Ordering::Relaxed) {
            // SAFETY: the thread waits for this one before it ends.
            unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
            thread::sleep(Duration::from_micros(10));
        }
    });
    let (mut last, mut added) = (0, 0);
    let mut watcher = LEVEL.watcher();
    for _ in 0..ROUNDS {
        wait(TOLD.notified());
        wait(PERMITS.acquire(1)).expect("open").forget();
        let value = wait(VALUES.recv()).expect("open");
        assert!(value > last, "values in order");
        last = value;
        *wait(COUNT.lock()) += 1;
        *wait(TABLE.write()) += 1;
        added += 1;
        let (completer, completion) = DONE.completion().expect("the last one has ended");
        *wait(TO_FIRE.lock()) = Some(completer);
        wait(completion).expect("fired");
        wait(watcher.changed()).expect("open");
    }
    STOP.store(true, Ordering::Relaxed);
    source.join().expect("no panic");
    let runs = RUNS.load(Ordering::Relaxed);
    assert_eq!(*wait(COUNT.lock()), added + COUNTED.load(Ordering::Relaxed));
    assert_eq!(*wait(TABLE.read()), added + WRITTEN.load(Ordering::Relaxed));
    assert_eq!((PERMITS.available(), LEVEL.get(), DONE.used()), (runs - ROUNDS, runs, 0));
    assert!(ONCE.get().is_some());
}
