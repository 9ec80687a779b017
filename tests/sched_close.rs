//! A close beside wakes and spawns on plain threads, which may have a task's place in the queue in their hands.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use unboxed::event_loop::Wait;
use unboxed::event_loop::scripted::ScriptedLoop;
use unboxed::exec::{Budget, Executor, Idle, Mode, Remote, SchedulerStorage, Turned, WorkerStorage};
use unboxed::sync::{Mutex, Threads};

// Of ours, which are instrumented where a sanitizer looks.
static WAKER: Mutex<Option<Waker>, Threads> = Mutex::with_domain(None);
static REMOTE: Mutex<Option<Remote>, Threads> = Mutex::with_domain(None);

/// Does something to what a mutex guards; from any thread.
fn with<T, R>(mutex: &Mutex<T, Threads>, f: impl FnOnce(&mut T) -> R) -> R {
    loop {
        if let Some(mut guard) = mutex.try_lock() {
            return f(&mut guard);
        }
        thread::yield_now();
    }
}

/// Waits for ever; whoever likes may wake it.
#[unboxed::task(pool = 1, ops = 0, local)]
async fn waits() {
    poll_fn(|cx| {
        with(&WAKER, |waker| waker.get_or_insert_with(|| cx.waker().clone()).will_wake(cx.waker()));
        Poll::<()>::Pending
    })
    .await;
}

#[unboxed::task(pool = 1, ops = 0)]
async fn ends() {}

/// As often as a rare interleaving needs, in a test of seconds.
fn rounds() -> u32 {
    std::env::var("CLOSE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4000)
}

fn beside_threads(outside: fn(), inside: fn(&mut Executor), after: fn()) {
    static WORKER: WorkerStorage<1, 1> = WorkerStorage::new();
    static SCRIPT: ScriptedLoop<8> = ScriptedLoop::new();
    static ENDED: AtomicBool = AtomicBool::new(false);
    /// Also when a round fails.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            ENDED.store(true, Ordering::Relaxed);
        }
    }
    // More threads than processors, so that some are off theirs at any moment.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !ENDED.load(Ordering::Relaxed) {
                    outside();
                }
            });
        }
        let _ends = Ends;
        for round in 0..rounds() {
            let mut executor = Executor::start(&WORKER, &SCRIPT, 0).expect("the last round has let it go");
            with(&REMOTE, |remote| *remote = Some(executor.remote()));
            inside(&mut executor);
            for _ in 0..round % 4 {
                executor.turn(Budget::POLL);
            }
            assert_eq!(executor.close(0).detached, 0);
            after();
        }
    });
}

#[test]
fn wakes_and_spawns_beside_a_close_lose_no_block() {
    static SPAWNED: AtomicU32 = AtomicU32::new(0);
    beside_threads(
        || {
            let waker = with(&WAKER, |waker| waker.clone());
            if let Some(waker) = waker {
                waker.wake();
            }
            let remote = with(&REMOTE, |remote| *remote);
            if let Some(handle) = remote.and_then(|remote| ends::spawn_on(&remote).ok()) {
                SPAWNED.fetch_add(1, Ordering::Relaxed);
                handle.detach();
            }
        },
        |executor| executor.enter(waits::spawn).expect("its block is back").detach(),
        || {
            assert_eq!(waits::memory().used, 0);
            // The spawning thread may still hold its handle, or have been refused.
            while ends::memory().used != 0 {
                thread::yield_now();
            }
        },
    );
    assert!(SPAWNED.load(Ordering::Relaxed) > 0);
}

/// The message of the panic that this ends with.
fn panic_of(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it is refused");
    panic
        .downcast_ref::<&str>()
        .map_or_else(|| panic.downcast_ref::<String>().unwrap().clone(), ToString::to_string)
}

#[test]
fn an_executor_that_has_closed_step_by_step_lets_its_worker_be() {
    static WORKER: WorkerStorage<1, 1> = WorkerStorage::new();
    static SCRIPT: ScriptedLoop<8> = ScriptedLoop::new();
    let mut old = Executor::start(&WORKER, &SCRIPT, 0).unwrap();
    assert_eq!(old.close_step(1_000), None);
    // A root task of now would be left behind.
    assert!(panic_of(|| old.block_on(async {})).contains("takes no root task"));
    while old.close_step(1_000).is_none() {}
    // Another thread's from now on.
    let polls = thread::spawn(|| {
        let mut new = Executor::start(&WORKER, &SCRIPT, 0).unwrap();
        new.block_on(async {});
        new.stats().polls.get()
    });
    let polls = polls.join().unwrap();
    for refused in [
        panic_of(|| assert_eq!(old.turn(Budget::POLL), Turned::default())),
        panic_of(|| old.enter(|| {})),
        panic_of(|| assert_eq!(old.prepare_to_sleep(), Wait::Forever)),
        panic_of(|| assert_eq!(old.next_deadline(), None)),
    ] {
        assert!(refused.contains("has closed its worker"), "{refused}");
    }
    assert_eq!((old.stats().polls.get(), old.in_flight()), (polls, 0));
    assert!(old.close_step(0).is_some());
}

#[test]
fn a_worker_that_runs_cannot_be_made_absent() {
    static WORKERS: SchedulerStorage<2, 1, 0> = SchedulerStorage::new();
    static LOOPS: [ScriptedLoop<8>; 2] = [const { ScriptedLoop::new() }; 2];
    for _ in 0..2 {
        WORKERS.open(2, Mode::Stealing, Idle::Sleep).unwrap();
        let one = WORKERS.start(0, &LOOPS[0], 0).unwrap();
        for _ in 0..2 {
            WORKERS.absent(0);
            WORKERS.absent(1);
        }
        // Absent is absent until the storage is opened again, which it cannot be while worker 0 runs.
        assert!(WORKERS.start(1, &LOOPS[1], 0).is_err());
        WORKERS.remote().request_close();
        assert!(WORKERS.open(1, Mode::Stealing, Idle::Sleep).is_err());
        assert_eq!(one.close(0).detached, 0);
        // Nor may it be named after the close, when the next start is another's.
        WORKERS.absent(0);
    }
    WORKERS.open(2, Mode::Stealing, Idle::Sleep).unwrap();
    let [one, other] = [0, 1].map(|index| WORKERS.start(index, &LOOPS[index], 0).unwrap());
    thread::scope(|scope| {
        let remote = one.remote();
        scope.spawn(move || remote.request_close());
        assert!(panic_of(|| WORKERS.absent(2)).contains("no worker 2"));
        assert!(!panic_of(|| WORKERS.absent(64)).is_empty());
    });
    let (mut one, mut other) = (one, other);
    let mut left = [true; 2];
    while left != [false; 2] {
        left[0] = left[0] && one.close_step(1_000).is_none();
        left[1] = left[1] && other.close_step(1_000).is_none();
    }
}
