//! Several workers with a ring each: tasks that move, spawns from outside, blocked workers, starts and closes.

use std::collections::HashSet;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};
use unboxed::channel::Channel;
use unboxed::rt::{Config, Idle, Mode, Runtime, RuntimeCell};
use unboxed::task::{JoinError, JoinHandle, ReserveError};
use unboxed::time::sleep;
use unboxed::{task, yield_now};

macro_rules! runtime {
    ($config:expr) => {{
        static CELL: RuntimeCell<64, 4> = RuntimeCell::new();
        let runtime: Runtime = CELL.start($config).expect("a runtime");
        runtime
    }};
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

#[task(pool = 64)]
async fn hops(rounds: u32) -> HashSet<ThreadId> {
    let mut seen = HashSet::new();
    for _ in 0..rounds {
        seen.insert(thread::current().id());
        busy_for(Duration::from_micros(20));
        yield_now().await;
    }
    seen
}

#[test]
fn tasks_run_on_every_worker() {
    let mut runtime = runtime!(Config::new().workers(3));
    let seen = runtime.block_on(async {
        let tasks: Vec<_> = (0..32).map(|_| hops::spawn(200).unwrap()).collect();
        let mut all = HashSet::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    assert_eq!(seen.len(), 3, "every worker had some");
    closes_cleanly(runtime);
}

#[task(pool = 16)]
async fn stays(rounds: u32) -> usize {
    let mut seen = HashSet::new();
    for _ in 0..rounds {
        seen.insert(thread::current().id());
        busy_for(Duration::from_micros(20));
        sleep(Duration::from_micros(50)).await.unwrap();
    }
    seen.len()
}

#[test]
fn thread_per_core_never_moves_a_task() {
    let mut runtime = runtime!(Config::new().workers(3).mode(Mode::PerCore));
    let remote = runtime.remote();
    runtime.block_on(async {
        let there: Vec<_> = (0..3)
            .flat_map(|worker| (0..4).map(move |_| worker))
            .map(|worker| stays::spawn_on(&remote.worker(worker).unwrap(), 50).unwrap())
            .collect();
        for task in there {
            assert_eq!(task.await, Ok(1));
        }
    });
    closes_cleanly(runtime);
}

#[task(pool = 16, local)]
async fn stays_with_its_rc(rounds: u32) -> bool {
    let rc = std::rc::Rc::new(thread::current().id());
    for _ in 0..rounds {
        yield_now().await;
        if thread::current().id() != *rc {
            return false;
        }
    }
    true
}

// Twice as many as at once: a block is free when its runner has let go of it, a little after the join.
#[task(pool = 8)]
async fn spawns_local() -> bool {
    yield_now().await;
    // The handle is Send, since a bool is.
    stays_with_its_rc::spawn(100).unwrap().await.unwrap()
}

#[test]
fn local_tasks_stay_where_they_were_spawned() {
    let mut runtime = runtime!(Config::new().workers(4));
    runtime.block_on(async {
        for _ in 0..100 {
            let tasks: Vec<_> = (0..4).map(|_| spawns_local::spawn().unwrap()).collect();
            for task in tasks {
                assert_eq!(task.await, Ok(true));
            }
        }
    });
    closes_cleanly(runtime);
}

#[task(pool = 8)]
async fn answer(n: u64) -> u64 {
    sleep(Duration::from_millis(1)).await.unwrap();
    n * 2
}

#[test]
fn a_plain_thread_spawns_and_joins() {
    let mut runtime = runtime!(Config::new().workers(2));
    let remote = runtime.remote();
    let outside = thread::spawn(move || {
        let handle: JoinHandle<u64> = answer::spawn_on(&remote, 21).unwrap();
        // Nothing of worker 0 runs while it is not turned: the task is another's.
        while !handle.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        *handle.peek().unwrap().unwrap()
    });
    assert_eq!(outside.join().unwrap(), 42);
    runtime.block_on(async { assert_eq!(answer::spawn(4).unwrap().await, Ok(8)) });
    closes_cleanly(runtime);
    let refused = answer::spawn_on(&remote, 1).unwrap_err();
    assert_eq!((refused.args, refused.reason), ((1,), ReserveError::NoRuntime));
}

static GATE: AtomicBool = AtomicBool::new(false);

#[task]
async fn blocks_its_worker() {
    let until = Instant::now() + Duration::from_secs(10);
    while !GATE.load(Ordering::Acquire) && Instant::now() < until {
        thread::sleep(Duration::from_millis(1));
    }
}

#[task]
async fn spawns_behind_its_back() {
    let tasks: Vec<_> = (0..40).map(|n| hop_once::spawn(n).unwrap()).collect();
    // The worker hangs with all of them in its ring; the others finish them.
    let until = Instant::now() + Duration::from_secs(10);
    while !tasks.iter().all(JoinHandle::is_finished) {
        assert!(Instant::now() < until, "a blocked worker hides its tasks");
        thread::sleep(Duration::from_millis(1));
    }
    GATE.store(true, Ordering::Release);
}

#[task(pool = 40)]
async fn hop_once(n: u32) -> u32 {
    yield_now().await;
    n
}

#[test]
fn a_blocked_worker_hides_nothing() {
    let mut runtime = runtime!(Config::new().workers(3));
    runtime.block_on(async {
        let blocked = blocks_its_worker::spawn().unwrap();
        let spawner = spawns_behind_its_back::spawn().unwrap();
        spawner.await.unwrap();
        blocked.await.unwrap();
    });
    closes_cleanly(runtime);
}

static NUMBERS: Channel<u64, 4> = Channel::new();

#[task(pool = 8)]
async fn sends(from: u64, count: u64) {
    for n in from..from + count {
        NUMBERS.send(n).await.unwrap();
    }
}

#[task(pool = 8)]
async fn sums(count: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..count {
        sum += NUMBERS.recv().await.unwrap();
    }
    sum
}

#[test]
fn a_channel_between_tasks_that_move() {
    let mut runtime = runtime!(Config::new().workers(4));
    let sum = runtime.block_on(async {
        let senders: Vec<_> = (0..8).map(|n| sends::spawn(n * 1000, 1000).unwrap()).collect();
        let receivers: Vec<_> = (0..8).map(|_| sums::spawn(1000).unwrap()).collect();
        let mut sum = 0;
        for task in receivers {
            sum += task.await.unwrap();
        }
        for task in senders {
            task.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, (0..8000).sum());
    closes_cleanly(runtime);
}

#[task(pool = 32)]
async fn sleeps_for_ever() {
    sleep(Duration::from_secs(3600)).await.unwrap();
}

#[test]
fn aborts_and_timers_cross_workers() {
    let mut runtime = runtime!(Config::new().workers(3));
    runtime.block_on(async {
        for _ in 0..50 {
            let mut tasks = Vec::new();
            for _ in 0..32 {
                // A block is free again when the worker with its timer has let that go.
                tasks.push(sleeps_for_ever::reserve().await.spawn(()).unwrap());
            }
            yield_now().await;
            for task in &tasks {
                task.abort();
            }
            for task in tasks {
                assert_eq!(task.await, Err(JoinError::Aborted));
            }
        }
    });
    closes_cleanly(runtime);
    assert_eq!(sleeps_for_ever::memory().used, 0);
}

#[task(pool = 8)]
async fn leaves_work_behind() {
    for _ in 0..4 {
        if let Ok(handle) = sleeps_for_ever_too::spawn() {
            handle.detach();
        }
        yield_now().await;
    }
}

#[task(pool = 32)]
async fn sleeps_for_ever_too() {
    // Until the runtime closes.
    while sleep(Duration::from_micros(200)).await.is_ok() {}
}

#[test]
fn starts_and_stops_a_thousand_times() {
    static CELL: RuntimeCell<4, 4> = RuntimeCell::new();
    for round in 0..1000 {
        let workers = 1 + round % 4;
        let mut runtime = CELL.start(Config::new().workers(workers).entries(8)).expect("a runtime");
        runtime.block_on(async {
            for _ in 0..3 {
                leaves_work_behind::spawn().unwrap().detach();
            }
            yield_now().await;
        });
        closes_cleanly(runtime);
        assert_eq!(
            (leaves_work_behind::memory().used, sleeps_for_ever_too::memory().used),
            (0, 0),
            "{round}"
        );
    }
}

#[test]
fn two_runtimes_and_one_on_a_thread_of_the_other() {
    static INNER: RuntimeCell<4, 2> = RuntimeCell::new();
    let mut outer = runtime!(Config::new().workers(2));
    let remote = outer.remote();
    let inner = thread::spawn(move || {
        let mut runtime = INNER.start(Config::new().workers(2)).expect("a runtime");
        runtime.block_on(async {
            // A task of the other runtime, joined from here.
            assert_eq!(answer::spawn_on(&remote, 5).unwrap().await, Ok(10));
            assert_eq!(answer::spawn(6).unwrap().await, Ok(12));
        });
        closes_cleanly(runtime);
    });
    outer.block_on(async {
        assert_eq!(answer::spawn(7).unwrap().await, Ok(14));
        // Its task may have a timer on this worker, which runs while this thread is here.
        while !inner.is_finished() {
            sleep(Duration::from_millis(1)).await.unwrap();
        }
    });
    inner.join().unwrap();
    closes_cleanly(outer);
}

static PANICS: AtomicU32 = AtomicU32::new(0);

#[task(pool = 8)]
async fn panics(n: u32) -> u32 {
    yield_now().await;
    PANICS.fetch_add(1, Ordering::Relaxed);
    assert!(n.is_multiple_of(2), "asked for");
    n
}

#[test]
fn a_panic_on_any_worker_ends_its_task_alone() {
    let mut runtime = runtime!(Config::new().workers(3));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..8).map(|n| panics::spawn(n).unwrap()).collect();
        for (n, task) in tasks.into_iter().enumerate() {
            let expected = if n % 2 == 0 { Ok(n as u32) } else { Err(JoinError::Panicked) };
            assert_eq!(task.await, expected);
        }
    });
    closes_cleanly(runtime);
}

#[task(pool = 4)]
async fn never_yields(until: &'static AtomicBool) {
    while !until.load(Ordering::Acquire) {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_close_does_not_wait_for_ever_for_a_worker_that_hangs() {
    static CELL: RuntimeCell<4, 2> = RuntimeCell::new();
    static LET_GO: AtomicBool = AtomicBool::new(false);
    let mut runtime = CELL.start(Config::new().workers(2)).expect("a runtime");
    let remote = runtime.remote();
    runtime.block_on(async {
        never_yields::spawn_on(&remote.worker(1).unwrap(), &LET_GO).unwrap().detach();
        sleep(Duration::from_millis(20)).await.unwrap();
    });
    let report = runtime.close(Duration::from_millis(50));
    assert_eq!(report.stuck, 1);
    LET_GO.store(true, Ordering::Release);
    assert!(CELL.start(Config::new()).is_err(), "its storage is still somebody's");
}

#[test]
fn workers_are_named_and_counted() {
    static NAMES: StdMutex<Vec<String>> = StdMutex::new(Vec::new());
    static DONE: AtomicUsize = AtomicUsize::new(0);
    #[task(pool = 4)]
    async fn tells_its_thread() {
        NAMES.lock().unwrap().push(thread::current().name().unwrap_or("?").to_owned());
        DONE.fetch_add(1, Ordering::AcqRel);
    }
    let mut runtime = runtime!(Config::new().workers(2).name("gate").pinned(true));
    let remote = runtime.remote();
    assert_eq!(remote.workers(), 2);
    assert!(remote.worker(2).is_none());
    runtime.block_on(tells_on(remote));
    assert_eq!(NAMES.lock().unwrap()[..], ["gate-1"]);
    assert!(remote.stats(1).unwrap().polls.get() > 0);
    closes_cleanly(runtime);
    async fn tells_on(remote: unboxed::rt::Remote) {
        tells_its_thread::spawn_on(&remote.worker(1).unwrap()).unwrap().await.unwrap();
    }
}

static BOTH: std::sync::Barrier = std::sync::Barrier::new(2);

/// Ends when two of it run at the same time.
#[task(pool = 2)]
async fn meets_the_other() {
    BOTH.wait();
}

#[unboxed::main(workers = 2, entries = 64)]
async fn main_of_two() -> Result<(), JoinError> {
    let (one, other) = (meets_the_other::spawn().unwrap(), meets_the_other::spawn().unwrap());
    one.await?;
    other.await
}

#[test]
fn the_main_function_may_have_workers() {
    // Its storage serves again after each return.
    for _ in 0..3 {
        assert_eq!(main_of_two(), Ok(()));
    }
}

static THERE: Channel<u32, 1> = Channel::new();
static BACK: Channel<u32, 1> = Channel::new();

#[task(ops = 1)]
async fn answers(times: u32) {
    for _ in 0..times {
        BACK.send(THERE.recv().await.unwrap()).await.unwrap();
    }
}

#[task(ops = 1)]
async fn asks(times: u32) {
    for n in 0..times {
        THERE.send(n).await.unwrap();
        assert_eq!(BACK.recv().await, Ok(n));
        if n % 16 == 0 {
            sleep(Duration::from_micros(200)).await.unwrap();
        }
    }
}

#[test]
fn a_sleep_is_ended_by_one_doorbell_at_most_and_a_busy_worker_is_never_rung() {
    const TIMES: u32 = 2_000;
    for idle in [Idle::Sleep, Idle::SpinFor(Duration::from_micros(20)), Idle::Spin] {
        static CELL: RuntimeCell<4, 2> = RuntimeCell::new();
        let mut runtime = CELL.start(Config::new().workers(2).idle(idle)).expect("a runtime");
        let remote = runtime.remote();
        let counts = |worker| {
            let stats = remote.stats(worker).unwrap();
            // The bells first: what comes meanwhile must not look like one too many.
            let doorbells = stats.doorbells.get();
            (stats.sleeps.get(), stats.messages.get(), doorbells)
        };
        let before = [counts(0), counts(1)];
        runtime.block_on(async {
            let other = answers::spawn_on(&remote.worker(1).unwrap(), TIMES).unwrap();
            asks::spawn_on(&remote.worker(0).unwrap(), TIMES).unwrap().await.unwrap();
            other.await.unwrap();
        });
        for (worker, before) in before.iter().enumerate() {
            let (sleeps, messages, doorbells) = counts(worker);
            println!(
                "{idle:?}, worker {worker}: {sleeps} sleeps, {messages} messages, {doorbells} doorbells"
            );
            assert!(messages > before.1, "they do wake each other");
            assert!(doorbells <= sleeps, "one a sleep at most");
            if idle == Idle::Spin {
                assert_eq!((sleeps, doorbells), (before.0, before.2), "it is always awake");
            }
        }
        closes_cleanly(runtime);
    }
}

const POLICIES: [Idle; 3] = [Idle::Sleep, Idle::SpinFor(Duration::from_micros(5)), Idle::Spin];

/// Ends when its whole queue was finished by others while it held its worker for a second.
#[task]
async fn blocks_over_its_queue(tasks: u32) -> usize {
    let queue: Vec<_> = (0..tasks).map(|n| hop_once_more::spawn(n).unwrap()).collect();
    thread::sleep(Duration::from_secs(1));
    queue.iter().filter(|task| task.is_finished()).count()
}

#[task(pool = 300)]
async fn hop_once_more(n: u32) -> u32 {
    yield_now().await;
    n
}

#[test]
fn a_worker_blocked_for_a_second_does_not_keep_its_queue() {
    for idle in POLICIES {
        // 300 are more than its ring holds.
        for tasks in [3, 300] {
            static CELL: RuntimeCell<4, 2> = RuntimeCell::new();
            let mut runtime = CELL.start(Config::new().workers(2).idle(idle)).expect("a runtime");
            let finished = runtime.block_on(async { blocks_over_its_queue::spawn(tasks).unwrap().await });
            assert_eq!(finished, Ok(tasks as usize), "{idle:?}");
            closes_cleanly(runtime);
        }
    }
}

#[task(pool = 3)]
async fn meets(all: &'static std::sync::Barrier) {
    all.wait();
}

#[test]
fn tasks_that_block_for_each_other_all_find_a_worker() {
    static TWO: std::sync::Barrier = std::sync::Barrier::new(2);
    for idle in POLICIES {
        static CELL: RuntimeCell<4, 2> = RuntimeCell::new();
        let mut runtime = CELL.start(Config::new().workers(2).idle(idle)).expect("a runtime");
        for _ in 0..50 {
            runtime.block_on(async {
                let (one, other) = (meets::spawn(&TWO).unwrap(), meets::spawn(&TWO).unwrap());
                one.await.unwrap();
                other.await.unwrap();
            });
        }
        closes_cleanly(runtime);
    }
}

/// How often a worker's thread has slept, as the kernel counts it.
fn switches(name: &str) -> u64 {
    let read = |task: &std::path::Path, file| std::fs::read_to_string(task.join(file)).unwrap_or_default();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let of_name: Vec<_> = tasks.filter(|task| read(task, "comm").trim() == name).collect();
    let status = of_name.iter().map(|task| read(task, "status"));
    status.map(|text| field(&text, "\nvoluntary_ctxt_switches:")).sum()
}

fn field(text: &str, name: &str) -> u64 {
    text.split(name).nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_worker_sleeps_on_while_nobody_blocks_on_the_runtime() {
    // The eighth worker, so that its name is no other test's.
    static CELL: RuntimeCell<4, 8> = RuntimeCell::new();
    let mut runtime = CELL.start(Config::new().workers(8)).expect("a runtime");
    // Worker 0 is awake meanwhile, so the others look at it.
    runtime.block_on(async { thread::sleep(Duration::from_millis(100)) });
    let before = switches("unboxed-7");
    assert!(before > 5, "it looks around: {before}");
    thread::sleep(Duration::from_secs(2));
    let slept = switches("unboxed-7") - before;
    println!("{slept} context switches in two seconds");
    assert!(slept < 20, "{slept}");
    closes_cleanly(runtime);
}
