//! Jobs on threads that may block: a thousand of them with random cancels, drops, leaks and panics; stepped by hand
//! and on real threads.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use unboxed::blocking::{BlockingPool, IfRunning, Job, JobError, StartPoolError, Why};
use unboxed::op::Operation;
use unboxed::rt::{Config, RuntimeCell};
use unboxed::time::{sleep, timeout};
use unboxed_core::blocking::{Crew, JobError as CoreError, JobPool, Step};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

macro_rules! block_on {
    ($future:expr) => {{
        static CELL: RuntimeCell<16> = RuntimeCell::new();
        CELL.start(Config::new()).expect("a runtime").block_on($future)
    }};
}

/// Counts how many of them live.
struct Counted(&'static AtomicUsize);

impl Counted {
    fn new(count: &'static AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Threads of a pool that is stepped by hand.
#[derive(Default)]
struct ByHand {
    calls: AtomicU32,
}

impl Crew for ByHand {
    type Payload = Box<dyn std::any::Any + Send>;

    fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Self::Payload> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
    }

    fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn call_all(&self) {
        self.calls.fetch_add(1000, Ordering::Relaxed);
    }
}

type Hand = JobPool<ByHand, 4, 64>;

fn by_hand() -> &'static Hand {
    Box::leak(Box::new(JobPool::new(ByHand::default())))
}

#[test]
fn jobs_run_in_order_and_a_sleeper_is_called_once() {
    let pool = by_hand();
    let mut seat = pool.seat();
    assert_eq!(seat.step(), Step::Idle);
    let order: Arc<Mutex<Vec<u32>>> = Arc::default();
    let mut jobs: Vec<_> = (0..3)
        .map(|i| {
            let order = order.clone();
            pool.submit(move || order.lock().unwrap().push(i)).expect("a place")
        })
        .collect();
    assert_eq!(pool.crew().calls.load(Ordering::Relaxed), 1, "one sleeper, one call");
    assert!(jobs.iter_mut().all(|job| poll_once(job).is_pending()));
    while seat.step() == Step::Ran {}
    assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
    assert!(jobs.iter_mut().all(|job| matches!(poll_once(job), Poll::Ready(Ok(())))));
    assert_eq!(pool.counts(), (0, 0, 0));
}

#[test]
fn a_full_pool_hands_the_job_back_and_says_what_to_do() {
    let pool = by_hand();
    let jobs: Vec<_> = (0..4).map(|_| pool.submit(|| ()).expect("a place")).collect();
    let rejected = pool.submit(|| 7).expect_err("full");
    assert_eq!(rejected.why, Why::Full);
    assert!(rejected.to_string().contains("all 4 places"), "{rejected}");
    assert_eq!((rejected.job)(), 7);
    let mut waits = pin!(pool.reserve());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    drop(jobs);
    // The place was handed over: nobody else gets it.
    assert_eq!(pool.counts().0, 1);
    let Poll::Ready(Ok(place)) = waits.as_mut().poll(&mut cx) else { panic!("no place") };
    let mut job = place.submit(|| 8);
    pool.seat().step();
    assert!(matches!(poll_once(&mut job), Poll::Ready(Ok(8))));
    assert_eq!(pool.counts(), (0, 0, 0));
}

#[test]
fn a_cancel_takes_a_waiting_job_out_of_the_queue() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    let pool = by_hand();
    let inside = Counted::new(&LIVE);
    let first = pool.submit(|| 1).expect("a place");
    let second = pool.submit(move || drop(inside)).expect("a place");
    let third = pool.submit(|| 3).expect("a place");
    let mut cancelled = pin!(second.cancel());
    let ended = cancelled.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(ended, Poll::Ready(Err(CoreError::Cancelled))));
    assert_eq!(LIVE.load(Ordering::Relaxed), 0, "its closure is dropped");
    let (mut first, mut third) = (first, third);
    let mut seat = pool.seat();
    while seat.step() == Step::Ran {}
    assert!(matches!(poll_once(&mut first), Poll::Ready(Ok(1))));
    assert!(matches!(poll_once(&mut third), Poll::Ready(Ok(3))));
    assert_eq!(pool.counts(), (0, 0, 0));
}

/// The job itself plays what happens while it runs.
#[test]
fn a_running_job_is_awaited_or_detached() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    for choice in [IfRunning::Await, IfRunning::Detach] {
        let pool = by_hand();
        let slot: Arc<Mutex<Option<unboxed_core::blocking::Job<Counted, ByHand>>>> = Arc::default();
        let inside = slot.clone();
        let job = pool.submit(move || {
            let job = inside.lock().unwrap().take().expect("the handle");
            let mut cancelled = Box::pin(job.if_running(choice).cancel());
            match cancelled.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Err(CoreError::Cancelled)) => assert_eq!(choice, IfRunning::Detach),
                Poll::Pending => assert_eq!(choice, IfRunning::Await),
                _ => panic!("it runs"),
            }
            drop(cancelled);
            Counted::new(&LIVE)
        });
        *slot.lock().unwrap() = Some(job.expect("a place"));
        assert_eq!(pool.seat().step(), Step::Ran);
        assert_eq!(LIVE.load(Ordering::Relaxed), 0, "the output of a job that nobody holds is dropped");
        assert_eq!(pool.counts(), (0, 0, 0));
    }
}

#[test]
fn a_close_ends_what_waits_and_a_detached_job_with_it() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    let pool = by_hand();
    let make = || {
        let inside = Counted::new(&LIVE);
        move || drop(inside)
    };
    let mut held = pool.submit(make()).expect("a place");
    pool.submit(make()).expect("a place").detach();
    let reserved = pool.try_reserve().expect("a place");
    pool.close();
    assert_eq!(LIVE.load(Ordering::Relaxed), 0);
    assert!(matches!(poll_once(&mut held), Poll::Ready(Err(CoreError::Closed))));
    let mut late = reserved.submit(make());
    assert!(matches!(poll_once(&mut late), Poll::Ready(Err(CoreError::Closed))));
    assert_eq!(LIVE.load(Ordering::Relaxed), 0);
    assert_eq!(pool.submit(|| ()).expect_err("closed").why, Why::Closed);
    assert_eq!(pool.seat().step(), Step::Closed);
    assert_eq!(pool.counts(), (0, 0, 0));
    pool.open();
    assert!(pool.submit(|| ()).is_ok());
}

#[test]
fn panics_in_drops_cost_no_place() {
    struct Explodes;
    impl Drop for Explodes {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("in a drop");
            }
        }
    }
    let pool = by_hand();
    // The output of a job that is let go.
    pool.submit(|| Explodes).expect("a place").detach();
    assert_eq!(pool.seat().step(), Step::Ran);
    // The closure of one that is taken back.
    let inside = Explodes;
    let job = pool.submit(move || drop(inside)).expect("a place");
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(job))).is_err());
    // The output of one whose holder goes.
    let job = pool.submit(|| Explodes).expect("a place");
    pool.seat().step();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(job))).is_err());
    // A payload that explodes.
    pool.submit(|| std::panic::panic_any(Explodes)).expect("a place").detach();
    pool.seat().step();
    // The closure of one that a close ends.
    let inside = Explodes;
    pool.submit(move || drop(inside)).expect("a place").detach();
    pool.close();
    assert_eq!(pool.counts(), (0, 0, 0));
}

#[test]
fn a_panic_reaches_the_awaiter_and_goes_on_there() {
    static POOL: BlockingPool<1, 4, 64> = BlockingPool::new();
    let _one = ONE_AT_A_TIME.lock();
    let ended = block_on!(POOL.run(|| -> u32 { panic!("seven") }));
    let Err(JobError::Panicked(panic)) = ended else { panic!("it panicked") };
    assert_eq!(format!("{panic:?}"), "Panic(\"seven\")");
    let went_on = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panic.resume()));
    assert_eq!(went_on.expect_err("a panic").downcast_ref::<&str>(), Some(&"seven"));
    // The thread lives on.
    assert!(matches!(block_on!(POOL.run(|| 8)), Ok(8)));
    assert_eq!(POOL.close(Duration::from_secs(5)).stuck, 0);
}

fn busy(micros: u64) {
    let until = Instant::now() + Duration::from_micros(micros);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// A small generator (G. Marsaglia, "Xorshift RNGs", 2003).
struct Random(Cell<u32>);

impl Random {
    fn below(&self, end: u32) -> u32 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.0.set(x);
        x % end
    }
}

#[test]
fn thousands_of_jobs_with_random_ends() {
    static POOL: BlockingPool<3, 64, 64> = BlockingPool::new();
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    const LEAKS: usize = 20;
    let _one = ONE_AT_A_TIME.lock();
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2_463_534_242);
    println!("SEED={seed}");
    let random = Random(Cell::new(seed));
    std::panic::set_hook(Box::new(|_| ()));
    let (mut leaked, mut ran, mut panicked) = (0, 0, 0);
    block_on!(async {
        for round in 0..4000u32 {
            let inside = Counted::new(&LIVE);
            let (micros, panics) = (u64::from(random.below(60)), random.below(8) == 0);
            let place = POOL.reserve().await.expect("open");
            let job: Job<(u32, Counted)> = place.submit(move || {
                busy(micros);
                assert!(!panics, "on purpose");
                (round, inside)
            });
            match random.below(8) {
                0 => drop(job),
                1 => job.detach(),
                2 if leaked < LEAKS => {
                    leaked += 1;
                    std::mem::forget(job);
                }
                3 => match job.cancel().await {
                    Ok((number, _)) => assert_eq!(number, round),
                    Err(JobError::Cancelled) => {}
                    Err(JobError::Panicked(_)) => assert!(panics),
                    Err(error) => panic!("{error}"),
                },
                4 => {
                    let _ = timeout(Duration::from_micros(30), job.if_running(IfRunning::Detach)).await;
                }
                5 => {
                    let mut job = job;
                    let _ = poll_once(&mut job);
                    // Goes to another thread, and is dropped there.
                    let _ = thread::scope(|s| s.spawn(move || drop(job)).join());
                }
                _ => match job.await {
                    Ok((number, _)) => {
                        assert!(number == round && !panics);
                        ran += 1;
                    }
                    Err(JobError::Panicked(_)) => {
                        assert!(panics);
                        panicked += 1;
                    }
                    Err(error) => panic!("{error}"),
                },
            }
        }
    });
    let _ = std::panic::take_hook();
    assert!(ran > 500 && panicked > 50, "{ran} {panicked}");
    assert_eq!(POOL.close(Duration::from_secs(5)).stuck, 0);
    // Those of leaked handles are all that is left: their places, and the outputs in them.
    let (used, queued, running) = POOL.counts();
    assert_eq!((used, queued, running), (LEAKS, 0, 0));
    assert!(LIVE.load(Ordering::Relaxed) <= LEAKS, "{LIVE:?}");
}

#[test]
fn timers_go_on_while_jobs_block() {
    static POOL: BlockingPool<2, 8, 64> = BlockingPool::new();
    let _one = ONE_AT_A_TIME.lock();
    block_on!(async {
        let slow = POOL.submit(|| thread::sleep(Duration::from_millis(100))).expect("a place");
        let mut ticks = 0;
        let mut slow = pin!(slow);
        while slow.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            sleep(Duration::from_millis(5)).await.expect("a timer");
            ticks += 1;
        }
        assert!(ticks >= 5, "{ticks}");
    });
    POOL.close(Duration::from_secs(5));
}

#[test]
fn a_close_waits_for_running_jobs_until_its_deadline() {
    static POOL: BlockingPool<1, 4, 64> = BlockingPool::new();
    static GO: AtomicBool = AtomicBool::new(false);
    let _one = ONE_AT_A_TIME.lock();
    let job = POOL.submit(|| {
        while !GO.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(1));
        }
        5
    });
    let mut job = job.expect("a place");
    let mut behind = POOL.submit(|| ()).expect("a place");
    while POOL.counts().2 == 0 {
        thread::yield_now();
    }
    assert_eq!(POOL.close(Duration::from_millis(20)).stuck, 1);
    assert!(matches!(poll_once(&mut behind), Poll::Ready(Err(JobError::Closed))));
    assert!(poll_once(&mut job).is_pending());
    assert_eq!(POOL.counts(), (1, 0, 1), "its place is its own");
    assert!(matches!(POOL.start("again"), Err(StartPoolError::InUse)));
    assert_eq!(POOL.submit(|| ()).expect_err("closed").why, Why::Closed);
    GO.store(true, Ordering::Release);
    assert_eq!(POOL.close(Duration::from_secs(5)).stuck, 0);
    assert!(matches!(poll_once(&mut job), Poll::Ready(Ok(5))));
    POOL.start("again").expect("threads");
    assert!(matches!(block_on!(POOL.run(|| thread::current().name() == Some("again-0"))), Ok(true)));
    POOL.close(Duration::from_secs(5));
    assert_eq!(POOL.alive(), 0);
}

#[test]
fn threads_start_with_the_first_job_and_take_no_signals() {
    static POOL: BlockingPool<2, 4, 64> = BlockingPool::new();
    let _one = ONE_AT_A_TIME.lock();
    assert_eq!(POOL.alive(), 0);
    let blocked = block_on!(POOL.run(|| {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: asks for this thread's mask, which is written into the local.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), set.as_mut_ptr());
            libc::sigismember(set.as_ptr(), libc::SIGTERM) == 1
        }
    }));
    assert!(matches!(blocked, Ok(true)));
    assert_eq!(POOL.alive(), 2);
    POOL.close(Duration::from_secs(5));
}

#[test]
fn names_are_resolved() {
    static POOL: BlockingPool<1, 4, 384> = BlockingPool::new();
    let _one = ONE_AT_A_TIME.lock();
    block_on!(async {
        let found = unboxed::net::resolve(&POOL, "127.0.0.1", 80).await.expect("an address");
        assert_eq!(found.iter().collect::<Vec<_>>(), ["127.0.0.1:80".parse().unwrap()]);
        let local = unboxed::net::resolve(&POOL, "localhost", 81).await.expect("an address");
        assert!(local.iter().all(|address| address.ip().is_loopback() && address.port() == 81));
        let error = unboxed::net::resolve(&POOL, "no.such.name.invalid", 1).await.expect_err("no such name");
        assert!(error.to_string().starts_with("the name was not resolved"), "{error}");
        assert!(unboxed::net::resolve(&POOL, &"x".repeat(254), 1).await.is_err());
    });
    POOL.close(Duration::from_secs(5));
}

#[test]
fn a_first_job_does_not_open_a_pool_that_is_being_closed() {
    for _ in 0..5000 {
        let pool: &'static BlockingPool<1, 2, 64> = Box::leak(Box::new(BlockingPool::new()));
        let both = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                drop(pool.submit(|| ()));
            });
            both.wait();
            let report = pool.close(Duration::from_millis(500));
            assert_eq!(report.stuck, 0, "{pool:?}");
        });
        assert!(pool.submit(|| ()).is_err_and(|rejected| rejected.why == Why::Closed), "{pool:?}");
        assert_eq!(pool.alive(), 0);
    }
}
