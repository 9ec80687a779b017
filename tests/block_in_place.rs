//! A poll that blocks its thread and leaves its worker's queue to the others.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use unboxed::blocking::block_in_place;
use unboxed::exec::{Budget, Executor, Idle, Mode, Remote, SchedulerStorage};
use unboxed::net::TcpListener;
use unboxed::op::nop;
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed::sync::{Blocking, Notify, Threads};
use unboxed::{Error, task, yield_now};
use unboxed_tests::Script;

/// Longer than any machine needs; a queue that is not handed over fails by it.
const PATIENCE: Duration = Duration::from_secs(60);

static SCRIPTED: SchedulerStorage<2, 4, 0> = SchedulerStorage::new();
static LOOPS: [Script; 2] = [const { Script::new() }; 2];
thread_local!(static OTHER: RefCell<Option<Executor>> = const { RefCell::new(None) });

#[task(pool = 40)]
async fn counts(by: &'static AtomicU32) {
    by.fetch_add(1, Ordering::Relaxed);
}

#[task(pool = 2, local)]
async fn stays(by: &'static AtomicU32) {
    by.fetch_add(1, Ordering::Relaxed);
}

/// Both workers on one thread: what the other one has to do is known to the task.
#[test]
fn the_other_worker_has_the_whole_queue_before_the_function_runs() {
    static MOVED: AtomicU32 = AtomicU32::new(0);
    static STAYED: AtomicU32 = AtomicU32::new(0);
    let _remote = SCRIPTED.open(2, Mode::Stealing, Idle::Sleep).unwrap();
    let mut here = SCRIPTED.start(0, &LOOPS[0], 0).unwrap();
    OTHER.set(Some(SCRIPTED.start(1, &LOOPS[1], 0).unwrap()));
    let turn_other = || OTHER.with_borrow_mut(|other| other.as_mut().unwrap().turn(Budget::POLL));
    here.block_on(async {
        for _ in 0..40 {
            counts::spawn(&MOVED).unwrap().detach();
        }
        stays::spawn(&STAYED).unwrap().detach();
        block_in_place(|| {
            for _ in 0..10 {
                turn_other();
            }
            assert_eq!(MOVED.load(Ordering::Relaxed), 40);
            assert_eq!(STAYED.load(Ordering::Relaxed), 0, "it may not move");
        });
        // Back inside, also after a panic.
        let panicked = catch_unwind(AssertUnwindSafe(|| block_in_place(|| panic!("on purpose"))));
        assert!(panicked.is_err());
        counts::spawn(&MOVED).unwrap().await.unwrap();
        yield_now().await;
        assert_eq!((MOVED.load(Ordering::Relaxed), STAYED.load(Ordering::Relaxed)), (41, 1));
    });
    let mut other = OTHER.take().unwrap();
    let mut left = [true; 2];
    while left != [false; 2] {
        left[0] = left[0] && here.close_step(u64::MAX / 2).is_none();
        left[1] = left[1] && other.close_step(u64::MAX / 2).is_none();
    }
    std::mem::forget((here, other));
}

macro_rules! runtime {
    ($config:expr) => {{
        static CELL: RuntimeCell<16, 2> = RuntimeCell::new();
        match CELL.start($config) {
            Ok(runtime) => runtime,
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        }
    }};
}

fn closes_cleanly(runtime: Runtime) {
    let report = runtime.close(Duration::from_secs(5));
    assert_eq!((report.detached, report.stuck), (0, 0));
}

#[task(pool = 40)]
async fn says_where(to: mpsc::Sender<thread::ThreadId>) {
    to.send(thread::current().id()).unwrap();
}

#[test]
fn another_thread_finishes_the_queue_meanwhile() {
    let mut runtime = runtime!(Config::new().workers(2));
    runtime.block_on(async {
        for round in 0..20 {
            // A single one, too, for which nobody is called otherwise.
            let count = [40, 1, 2][round % 3];
            let (to, from) = mpsc::channel();
            // The other worker may still be about to give a block back.
            while says_where::memory().used > 0 {
                yield_now().await;
            }
            for _ in 0..count {
                says_where::spawn(to.clone()).unwrap().detach();
            }
            block_in_place(|| {
                for _ in 0..count {
                    let ran_on = from.recv_timeout(PATIENCE).expect("the queue was handed over");
                    assert_ne!(ran_on, thread::current().id());
                }
            });
        }
    });
    closes_cleanly(runtime);
}

#[task(pool = 1)]
async fn notifies(notify: &'static Notify<Threads>) {
    notify.notify_one();
}

#[task(pool = 1)]
async fn waits(notify: &'static Notify<Threads>, then: mpsc::Sender<()>) {
    notify.notified().await;
    then.send(()).unwrap();
}

/// It may block on a lock, be woken by a task and wake one, spawn from outside, and run another runtime.
#[test]
fn within_it_the_thread_is_a_plain_one() {
    static TO_PLAIN: Notify<Threads> = Notify::with_domain();
    static TO_TASK: Notify<Threads> = Notify::with_domain();
    static SPAWNED: AtomicU32 = AtomicU32::new(0);
    static INNER: RuntimeCell<4> = RuntimeCell::new();
    let mut runtime = runtime!(Config::new().workers(2));
    let remote: Remote = runtime.remote();
    runtime.block_on(async {
        let (to, from) = mpsc::channel();
        let waiting = waits::spawn(&TO_TASK, to).unwrap();
        let notifying = notifies::spawn(&TO_PLAIN).unwrap();
        block_in_place(|| {
            TO_PLAIN.notified().blocking_for(PATIENCE).expect("a task of the other worker notifies");
            TO_TASK.notify_one();
            from.recv_timeout(PATIENCE).expect("what it wakes runs elsewhere");
            assert!(matches!(TcpListener::bind("127.0.0.1:0".parse().unwrap()), Err(Error::NoTask)));
            counts::spawn_on(&remote, &SPAWNED).unwrap().detach();
            let inner = INNER.start(Config::new()).unwrap().block_on(async { nop().await });
            assert_eq!(inner, Ok(()));
            assert_eq!(block_in_place(|| 7), 7, "outside it only runs the function");
        });
        waiting.await.unwrap();
        notifying.await.unwrap();
        assert_eq!(nop().await, Ok(()));
        while SPAWNED.load(Ordering::Relaxed) == 0 {
            yield_now().await;
        }
    });
    closes_cleanly(runtime);
}

#[test]
fn alone_it_only_runs_the_function() {
    let mut runtime = runtime!(Config::new());
    static RAN: AtomicU32 = AtomicU32::new(0);
    runtime.block_on(async {
        let task = counts::spawn(&RAN).unwrap();
        assert_eq!(block_in_place(|| RAN.load(Ordering::Relaxed)), 0, "nobody else may run it");
        task.await.unwrap();
    });
    assert_eq!(block_in_place(|| 7), 7);
    closes_cleanly(runtime);
}

#[test]
fn between_tasks_it_is_refused() {
    let mut runtime = runtime!(Config::new());
    let refused = runtime.enter(|| catch_unwind(|| block_in_place(|| ())).unwrap_err());
    assert!(refused.downcast_ref::<&str>().unwrap().contains("for the body of a task"));
    assert_eq!(runtime.block_on(async { nop().await }), Ok(()));
    closes_cleanly(runtime);
}
