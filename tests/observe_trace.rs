//! Timed polls, records and their export, on the scripted loop, whose clock stands still unless it is moved.

#[path = "support/trace_format.rs"]
mod trace_format;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use trace_format::check;
use unboxed::exec::{Budget, Executor};
use unboxed::observe::{
    Kind, Observation, Record, Records, SlowPoll, Snapshot, TraceBuffer, Tracer, Track, chrome,
};
use unboxed::op::nop;
use unboxed::time::sleep;
use unboxed::yield_now;
use unboxed_tests::{body, drain, lab, settle};

thread_local! {
    /// Each test's own time, since each has a thread.
    static NOW: Cell<u64> = const { Cell::new(1_000) };
}

/// One nanosecond a look, so that what comes later is later.
fn clock() -> u64 {
    NOW.set(NOW.get() + 1);
    NOW.get()
}

fn pass(ns: u64) {
    NOW.set(NOW.get() + ns);
}

const fn observation() -> Observation {
    // SAFETY: CLOCK-1.
    unsafe { Observation::new(clock) }
}

fn seen(ex: &Executor) -> Snapshot {
    let mut seen = Snapshot::new();
    assert!(ex.remote().snapshot(0, &mut seen));
    seen
}

fn kinds(records: impl Iterator<Item = Record>) -> Vec<Kind> {
    records.map(|record| record.kind).collect()
}

#[test]
fn an_operation_leaves_its_whole_life() {
    lab!(ex, script, run, pool = 1, ops = 2);
    static BUFFER: TraceBuffer<64> = TraceBuffer::new();
    static ON: Observation = observation().buffer(0, &BUFFER);
    assert!(ex.remote().observe(Some(&ON)));
    ex.enter(|| run::spawn(body(async { nop().await.map_or(1, |()| 0) })).unwrap().detach());
    drain(&mut ex, script);
    use Kind::*;
    assert_eq!(
        kinds(BUFFER.records()),
        [Spawned, Queued, Poll, Submitted, Completed, Woken, Taken, Poll, Done]
    );
    let queued = BUFFER.records().find(|r| r.kind == Queued).unwrap();
    assert_eq!((queued.operation(), queued.task()), ("nop", "run"));
    for kind in [Completed, Taken] {
        assert_eq!(BUFFER.records().find(|r| r.kind == kind).unwrap().subject, queued.subject);
    }
    assert_eq!((BUFFER.written(), BUFFER.lost()), (9, 0));
}

#[test]
fn dropped_and_cancelled_operations_say_so() {
    lab!(ex, script, run, pool = 1, ops = 2);
    static BUFFER: TraceBuffer<64> = TraceBuffer::new();
    static ON: Observation = observation().buffer(0, &BUFFER);
    assert!(ex.remote().observe(Some(&ON)));
    ex.enter(|| {
        run::spawn(body(async {
            assert!(unboxed_tests::poll_once(&mut nop()).await.is_pending());
            assert!(
                unboxed_tests::poll_once(&mut Box::pin(sleep(Duration::from_secs(1)))).await.is_pending()
            );
            0
        }))
        .unwrap()
        .detach();
    });
    drain(&mut ex, script);
    let all = kinds(BUFFER.records());
    let count = |kind| all.iter().filter(|k| **k == kind).count();
    assert_eq!(
        [Kind::Queued, Kind::Orphaned, Kind::Cancelled, Kind::Completed, Kind::Taken].map(count),
        [2, 2, 1, 2, 0],
        "{all:?}"
    );
    check(&chrome(&[Track { name: "w", records: &BUFFER }]).to_string(), 1);
}

#[test]
fn polls_and_waits_are_timed() {
    lab!(ex, script, run, pool = 1, ops = 1);
    static ON: Observation = observation();
    assert!(ex.remote().observe(Some(&ON)));
    ex.enter(|| {
        run::spawn(body(async {
            pass(5_000);
            yield_now().await;
            0
        }))
        .unwrap()
        .detach();
    });
    pass(90_000);
    settle(&mut ex);
    let seen_on = seen(&ex);
    assert_eq!((seen_on.poll_ns.count(), seen_on.wait_ns.count()), (2, 2));
    assert_eq!(seen_on.poll_ns.max(), 5_001);
    // In steps of 16 ns.
    assert!((89_980..=90_020).contains(&seen_on.wait_ns.max()), "{}", seen_on.wait_ns.max());
    assert_eq!((seen_on.ready_max, seen_on.slow_polls), (1, 0));

    assert!(ex.remote().observe(None));
    ex.enter(|| run::spawn(body(async { 0 })).unwrap().detach());
    settle(&mut ex);
    assert_eq!(seen(&ex).poll_ns, seen_on.poll_ns);
    assert_eq!(seen(&ex).polls, seen_on.polls + 1);
    drain(&mut ex, script);
}

#[test]
fn a_slow_poll_is_counted_and_reported_with_its_task_and_worker() {
    lab!(ex, script, lingers, pool = 4, ops = 1);
    static REPORTS: Mutex<Vec<SlowPoll>> = Mutex::new(Vec::new());
    fn report(poll: &SlowPoll) {
        REPORTS.lock().unwrap().push(*poll);
    }
    static BUFFER: TraceBuffer<64> = TraceBuffer::new();
    static ON: Observation = observation().slow_polls(1_000, report).buffer(0, &BUFFER);
    assert!(ex.remote().observe(Some(&ON)));
    for ns in [10, 2_000, 7_000, 3_000] {
        ex.enter(|| {
            lingers::spawn(body(async move {
                pass(ns);
                0
            }))
            .unwrap()
            .detach();
        });
    }
    settle(&mut ex);
    let reports = REPORTS.lock().unwrap();
    let [report] = reports[..] else { panic!("{reports:?}") };
    assert_eq!((report.task, report.worker, report.ns, report.others), ("lingers", 0, 7_001, 2));
    assert_eq!(seen(&ex).slow_polls, 3);
    let slow: Vec<_> = BUFFER.records().filter(Record::is_slow).map(|record| record.value).collect();
    assert_eq!(slow, [2_001, 7_001, 3_001]);
    drain(&mut ex, script);
}

struct Sees(AtomicUsize, AtomicU64);

impl Tracer for Sees {
    fn turn_ended(&self, worker: usize, records: Records<'_>) {
        assert_eq!(worker, 0);
        self.0.fetch_add(records.filter(|r| r.kind == Kind::Poll).count(), Ordering::Relaxed);
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_tracer_sees_each_record_once() {
    lab!(ex, script, run, pool = 8, ops = 1);
    static BUFFER: TraceBuffer<16> = TraceBuffer::new();
    static SEES: Sees = Sees(AtomicUsize::new(0), AtomicU64::new(0));
    static ON: Observation = observation().buffer(0, &BUFFER).tracer(&SEES);
    assert!(ex.remote().observe(Some(&ON)));
    for _ in 0..6 {
        ex.enter(|| run::spawn(body(async { 0 })).unwrap().detach());
        ex.turn(Budget { polls: 1, ..Budget::POLL });
    }
    drain(&mut ex, script);
    assert_eq!((SEES.0.load(Ordering::Relaxed), SEES.1.load(Ordering::Relaxed)), (6, 6));
    assert!(BUFFER.lost() > 0);
}

struct Hostile;

#[unboxed::task(pool = 8)]
async fn from_a_tracer() {}

impl Tracer for Hostile {
    fn turn_ended(&self, _: usize, _: Records<'_>) {
        // Allowed; then something that is refused, and a panic of its own.
        if let Ok(task) = from_a_tracer::spawn() {
            task.abort();
            task.detach();
        }
        let nested = catch_unwind(|| {
            static OTHER: unboxed::exec::WorkerStorage<1, 1> = unboxed::exec::WorkerStorage::new();
            static SCRIPT: unboxed_tests::Script = unboxed_tests::Script::new();
            let mut other = Executor::start(&OTHER, &SCRIPT, 0).unwrap();
            std::mem::forget(catch_unwind(AssertUnwindSafe(|| other.turn(Budget::POLL))).unwrap_err());
            std::mem::forget(other);
        });
        drop(nested);
        panic!("a tracer that panics");
    }
}

#[test]
fn a_tracer_may_spawn_nest_and_panic_and_nothing_is_lost() {
    lab!(ex, script, run, pool = 8, ops = 1);
    static BUFFER: TraceBuffer<256> = TraceBuffer::new();
    static ON: Observation = observation().buffer(0, &BUFFER).tracer(&Hostile);
    assert!(ex.remote().observe(Some(&ON)));
    let mut handles: Vec<_> = (0..4)
        .map(|n| {
            ex.enter(|| {
                run::spawn(body(async move {
                    yield_now().await;
                    nop().await.unwrap();
                    n
                }))
                .unwrap()
            })
        })
        .collect();
    for _ in 0..40 {
        let _ =
            catch_unwind(AssertUnwindSafe(|| ex.turn(Budget { polls: 2, completions: 1, ..Budget::POLL })));
        while let Some(op) = script.pending(0) {
            script.complete(op.token, 0);
            let _ = catch_unwind(AssertUnwindSafe(|| ex.turn(Budget::POLL)));
        }
    }
    assert!(ex.remote().observe(None));
    settle(&mut ex);
    for (n, handle) in handles.drain(..).enumerate() {
        let mut handle = handle;
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let polled = std::future::Future::poll(std::pin::Pin::new(&mut handle), &mut cx);
        assert!(matches!(polled, std::task::Poll::Ready(Ok(got)) if got == n as u64));
    }
}

#[test]
fn after_a_panic_nobody_is_in_a_poll() {
    lab!(ex, script, run, pool = 2, ops = 1);
    static ON: Observation = observation();
    assert!(ex.remote().observe(Some(&ON)));
    static INSIDE: Mutex<Option<&'static str>> = Mutex::new(None);
    let remote = ex.remote();
    ex.enter(|| {
        run::spawn(body(async move {
            *INSIDE.lock().unwrap() = remote.polling(0).map(|(task, _)| task);
            panic!("in a poll");
        }))
        .unwrap()
        .detach();
    });
    assert_eq!(settle(&mut ex), 1);
    assert_eq!(*INSIDE.lock().unwrap(), Some("run"));
    assert_eq!(ex.remote().polling(0), None);
    assert_eq!(ex.remote().polling(1), None);
    drain(&mut ex, script);
}

#[test]
fn a_buffer_serves_one_worker() {
    lab!(ex, script, run, pool = 1, ops = 1);
    static BUFFER: TraceBuffer<64> = TraceBuffer::new();
    static ON: Observation = observation().buffer(0, &BUFFER);
    assert!(ex.remote().observe(Some(&ON)));
    assert!(ex.remote().observe(Some(&ON)), "again is no other worker");
    static OTHER: unboxed::exec::WorkerStorage<1, 1> = unboxed::exec::WorkerStorage::new();
    static SCRIPT_2: unboxed_tests::Script = unboxed_tests::Script::new();
    let other = Executor::start(&OTHER, &SCRIPT_2, 0).unwrap();
    assert!(!other.remote().observe(Some(&ON)));
    ex.enter(|| run::spawn(body(async { 0 })).unwrap().detach());
    drain(&mut ex, script);
}

#[test]
fn what_is_lost_or_unfinished_leaves_a_whole_trace() {
    lab!(ex, script, run, pool = 8, ops = 2);
    static BUFFER: TraceBuffer<32> = TraceBuffer::new();
    static ON: Observation = observation().buffer(0, &BUFFER);
    assert!(ex.remote().observe(Some(&ON)));
    for round in 0..20 {
        for _ in 0..4 {
            ex.enter(|| {
                run::spawn(body(async { nop().await.map_or(1, |()| 0) })).unwrap().detach();
            });
        }
        settle(&mut ex);
        check(&chrome(&[Track { name: "a \"quoted\" name\n", records: &BUFFER }]).to_string(), 1);
        if round % 3 == 0 {
            script.complete(script.pending(0).unwrap().token, 0);
            settle(&mut ex);
            check(&chrome(&[Track { name: "w", records: &BUFFER }]).to_string(), 1);
        }
        drain(&mut ex, script);
    }
    assert!(BUFFER.lost() > 100);
}

#[test]
fn no_records_are_a_trace_too() {
    static BUFFER: TraceBuffer<2> = TraceBuffer::new();
    check(&chrome(&[Track { name: "w", records: &BUFFER }]).to_string(), 1);
    check(&chrome(&[]).to_string(), 0);
}

#[test]
fn a_ready_task_that_waits_for_a_long_poll_is_seen_to_wait() {
    lab!(ex, script, run, pool = 2, ops = 1);
    static BUFFER: TraceBuffer<64> = TraceBuffer::new();
    // SAFETY: CLOCK-1.
    static ON: Observation = unsafe { Observation::new(everyones_clock) }.buffer(0, &BUFFER);
    /// All threads' time, as another one wakes.
    static EVERYONES: AtomicU64 = AtomicU64::new(1_000);
    fn everyones_clock() -> u64 {
        EVERYONES.fetch_add(1, Ordering::Relaxed)
    }
    assert!(ex.remote().observe(Some(&ON)));
    let waker = std::sync::Arc::<Mutex<Option<std::task::Waker>>>::default();
    let left = std::sync::Arc::clone(&waker);
    let parks = std::future::poll_fn(move |cx| match left.lock().unwrap().replace(cx.waker().clone()) {
        None => std::task::Poll::Pending,
        Some(_) => std::task::Poll::Ready(7),
    });
    ex.enter(|| run::spawn(body(parks)).unwrap().detach());
    let long = async move {
        let waker = waker.lock().unwrap().clone().unwrap();
        std::thread::spawn(move || waker.wake()).join().unwrap();
        EVERYONES.fetch_add(50_000_000, Ordering::Relaxed);
        8
    };
    ex.enter(|| run::spawn(body(long)).unwrap().detach());
    settle(&mut ex);
    let mut seen = Snapshot::new();
    assert!(ex.remote().snapshot(0, &mut seen));
    assert!(seen.wait_ns.max() >= 49_000_000, "it waited for 50 ms, seen are {} ns", seen.wait_ns.max());
    let _ = script;
}
