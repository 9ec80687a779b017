//! Tasks that borrow from the stack and run on all workers.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};
use unboxed::event_loop::scripted::ScriptedLoop;
use unboxed::exec::{Budget, Executor, Idle, Mode, SchedulerStorage};
use unboxed::op::nop;
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed::storage::{ScopeDriver, StackBody, TaskTable, shared_scope};
use unboxed::task::JoinError;
use unboxed::time::sleep;
use unboxed::yield_now;
use unboxed_tests::Drops;

/// Two workers that one thread turns by steps.
struct Both<'a>(&'a mut Executor, &'a mut Executor);

impl ScopeDriver for Both<'_> {
    fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.0.enter(f)
    }

    fn turn(&mut self) {
        // The other one first: what `enter` has handed over is its to take.
        self.1.turn(Budget { polls: 1, ..Budget::POLL });
        self.0.turn(Budget { polls: 1, ..Budget::POLL });
    }
}

#[test]
fn bodies_end_on_another_worker_and_their_headers_come_back() {
    static WORKERS: SchedulerStorage<2, 2, 0> = SchedulerStorage::new();
    static LOOPS: [ScriptedLoop<64>; 2] = [const { ScriptedLoop::new() }; 2];
    static TABLE: TaskTable<6, 2> = TaskTable::new();
    WORKERS.open(2, Mode::Stealing, Idle::Sleep).unwrap();
    LOOPS.iter().for_each(|l| l.automatic(Some(|_| Some(0))));
    let mut one = WORKERS.start(0, &LOOPS[0], 0).unwrap();
    let mut other = WORKERS.start(1, &LOOPS[1], 0).unwrap();
    let words = ["on", "the", "stack", "of", "the", "test"];
    for _ in 0..100 {
        let lengths = AtomicU32::new(0);
        let work = |word: &'static str| {
            let lengths = &lengths;
            StackBody::new(async move {
                nop().await.unwrap();
                yield_now().await;
                lengths.fetch_add(word.len() as u32, Ordering::Relaxed);
                word
            })
        };
        let mut bodies = pin!(words.map(work));
        shared_scope(&mut Both(&mut one, &mut other), |s| {
            for body in each(bodies.as_mut()) {
                s.spawn(&TABLE, body).unwrap();
            }
        });
        assert_eq!(
            lengths.load(Ordering::Relaxed) as usize,
            words.iter().map(|word| word.len()).sum::<usize>()
        );
        for (body, word) in each(bodies.as_mut()).zip(words) {
            assert_eq!(body.take(), Some(Ok(word)));
        }
        assert_eq!(TABLE.memory().used, 0);
    }
    assert!(other.stats().polls.get() > 0, "the other one had a part in it");
    while one.close_step(1_000).is_none() | other.close_step(1_000).is_none() {}
}

/// Each of a pinned array.
fn each<T, const N: usize>(all: Pin<&mut [T; N]>) -> impl Iterator<Item = Pin<&mut T>> {
    // SAFETY: the parts of what is pinned stay where they are, and none is moved through this.
    unsafe { all.get_unchecked_mut() }.iter_mut().map(|one| unsafe { Pin::new_unchecked(one) })
}

fn closes_cleanly(runtime: Runtime) {
    let report = runtime.close(Duration::from_secs(5));
    assert_eq!((report.detached, report.stuck), (0, 0));
}

fn busy_for(duration: Duration) {
    let until = Instant::now() + duration;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

#[test]
fn all_threads_work_on_what_the_caller_has() {
    static CELL: RuntimeCell<4, 3> = RuntimeCell::new();
    // As many headers as tasks: each scope needs all those of the one before.
    static TABLE: TaskTable<8, 1> = TaskTable::new();
    for idle in [Idle::Sleep, Idle::SpinFor(Duration::from_micros(5)), Idle::Spin] {
        let mut threads = HashSet::new();
        let mut runtime = CELL.start(Config::new().workers(3).idle(idle)).expect("a runtime");
        for round in 0..200u64 {
            let numbers: Vec<u64> = (round..round + 800).collect();
            let seen: Mutex<HashSet<ThreadId>> = Mutex::new(HashSet::new());
            let sum = |part: usize| {
                let (numbers, seen) = (&numbers[part * 100..][..100], &seen);
                StackBody::new(async move {
                    let mut sum = 0;
                    for tens in numbers.chunks(10) {
                        sum += tens.iter().sum::<u64>();
                        busy_for(Duration::from_micros(2));
                        yield_now().await;
                    }
                    if round % 10 == 0 {
                        sleep(Duration::from_micros(100)).await.unwrap();
                    }
                    seen.lock().unwrap().insert(thread::current().id());
                    sum
                })
            };
            let mut bodies = pin!([0, 1, 2, 3, 4, 5, 6, 7].map(sum));
            shared_scope(&mut runtime, |s| {
                for body in each(bodies.as_mut()) {
                    s.spawn(&TABLE, body).unwrap_or_else(|refused| panic!("{round}: {:?}", refused.reason));
                }
            });
            let sums: u64 = each(bodies.as_mut()).map(|body| body.take().unwrap().unwrap()).sum();
            assert_eq!(sums, numbers.iter().sum());
            threads.extend(seen.lock().unwrap().drain());
        }
        closes_cleanly(runtime);
        assert_eq!(TABLE.memory().used, 0);
        assert!(threads.len() > 1, "the caller's thread was not alone");
    }
}

#[test]
fn a_panic_in_the_closure_still_waits_for_all() {
    static CELL: RuntimeCell<4, 2> = RuntimeCell::new();
    static TABLE: TaskTable<4, 1> = TaskTable::new();
    let mut runtime = CELL.start(Config::new().workers(2)).expect("a runtime");
    let ended = AtomicU32::new(0);
    let work = |_| {
        StackBody::new(async {
            sleep(Duration::from_millis(5)).await.unwrap();
            ended.fetch_add(1, Ordering::Relaxed);
        })
    };
    let mut bodies = pin!([0, 1, 2, 3].map(work));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        shared_scope(&mut runtime, |s| {
            for body in each(bodies.as_mut()) {
                s.spawn(&TABLE, body).unwrap();
            }
            panic!("on purpose");
        });
    }));
    assert!(caught.is_err());
    assert_eq!(ended.load(Ordering::Relaxed), 4);
    closes_cleanly(runtime);
}

#[test]
fn a_task_that_panics_or_is_aborted_ends_alone_wherever_it_runs() {
    static CELL: RuntimeCell<4, 2> = RuntimeCell::new();
    // A timer that lies on another worker pins its task's header for a moment longer than the scope.
    static TABLE: TaskTable<64, 1> = TaskTable::new();
    let mut runtime = CELL.start(Config::new().workers(2)).expect("a runtime");
    let drops = Drops::default();
    for round in 0..50 {
        let mut panics = pin!(StackBody::new(async {
            let _value = drops.value();
            yield_now().await;
            assert!(round > 100, "on purpose");
        }));
        let mut waits = pin!(StackBody::new(async {
            let _value = drops.value();
            sleep(Duration::from_secs(3600)).await.unwrap();
        }));
        let mut goes_on = pin!(StackBody::new(async {
            let _value = drops.value();
            sleep(Duration::from_micros(300)).await.unwrap();
            round
        }));
        shared_scope(&mut runtime, |s| {
            s.spawn(&TABLE, panics.as_mut()).unwrap();
            let handle = s.spawn(&TABLE, waits.as_mut()).unwrap();
            s.spawn(&TABLE, goes_on.as_mut()).unwrap();
            busy_for(Duration::from_micros(50));
            handle.abort();
        });
        assert_eq!(panics.take(), Some(Err(JoinError::Panicked)));
        assert_eq!(waits.take(), Some(Err(JoinError::Aborted)));
        assert_eq!(goes_on.take(), Some(Ok(round)));
    }
    closes_cleanly(runtime);
    assert_eq!(TABLE.memory().used, 0);
}
