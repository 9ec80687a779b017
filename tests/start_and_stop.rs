//! What a runtime of several workers takes from the process, and that it gives all of it back. These counts are the
//! process's, so there is one test, which does one thing after the other.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use unboxed::alloc::Counting;
use unboxed::channel::Channel;
use unboxed::rt::{Config, Idle, Runtime, RuntimeCell, StartError};
use unboxed::sync::{Blocking, Threads};
use unboxed::time::sleep;
use unboxed::{task, yield_now};

#[global_allocator]
static HEAP: Counting = Counting::new();

/// Allocations of `f`, in all threads.
fn allocations<R>(f: impl FnOnce() -> R) -> (u64, R) {
    let before = HEAP.allocations();
    let result = f();
    (HEAP.allocations() - before, result)
}

fn closes_cleanly(runtime: Runtime) {
    let report = runtime.close(Duration::from_secs(5));
    assert_eq!((report.detached, report.stuck), (0, 0));
}

/// Entries of a directory of the kernel's about this process.
fn entries(of: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{of}")).unwrap().count()
}

/// Pages of address space.
fn pages() -> usize {
    let numbers = std::fs::read_to_string("/proc/self/statm").unwrap();
    numbers.split(' ').next().unwrap().parse().unwrap()
}

/// The processors on which this thread may run, as the kernel writes them.
fn processors() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find(|line| line.starts_with("Cpus_allowed_list")).unwrap().to_owned()
}

static NUMBERS: Channel<u64, 4, Threads> = Channel::with_domain();

#[task(pool = 16)]
async fn works(from: u64) -> u64 {
    for n in from..from + 50 {
        NUMBERS.send(n).await.unwrap();
        yield_now().await;
    }
    sleep(Duration::from_micros(200)).await.unwrap();
    from
}

#[task(pool = 16)]
async fn sleeps_for_ever() {
    while sleep(Duration::from_micros(100)).await.is_ok() {}
}

#[test]
fn a_runtime_takes_what_its_threads_take_and_gives_everything_back() {
    the_heap_is_for_threads_alone();
    nothing_is_left_of_a_thousand();
    processors_are_listed_or_refused();
}

fn the_heap_is_for_threads_alone() {
    const WORKERS: usize = 4;
    static CELL: RuntimeCell<4, WORKERS> = RuntimeCell::new();
    static STARTED: Barrier = Barrier::new(2);
    // What the standard library takes for one thread with such a name, until that runs.
    let plain = || {
        let thread = allocations(|| {
            let mut name = String::with_capacity("unboxed-1".len() + 4);
            name.push_str("unboxed-1");
            let thread = thread::Builder::new().name(name).spawn(|| {
                STARTED.wait();
                STARTED.wait();
            });
            STARTED.wait();
            thread.unwrap()
        });
        STARTED.wait();
        thread.1.join().unwrap();
        thread.0
    };
    plain();
    let a_thread = plain();

    let (of_the_start, mut runtime) =
        allocations(|| CELL.start(Config::new().workers(WORKERS)).expect("a runtime"));
    println!("heap allocations: {a_thread} of a thread, {of_the_start} of a start of {WORKERS} workers");
    assert_eq!(of_the_start, a_thread * (WORKERS as u64 - 1), "what std::thread takes, and no more");

    // A plain thread that blocks on the channel, made before the counting.
    static GO: Barrier = Barrier::new(2);
    let reader = thread::spawn(|| {
        GO.wait();
        let sum: u64 = (0..16 * 50).map(|_| NUMBERS.recv().blocking().unwrap()).sum();
        GO.wait();
        sum
    });
    let (of_the_work, ()) = allocations(|| {
        GO.wait();
        runtime.block_on(async {
            for _ in 0..8 {
                sleeps_for_ever::spawn().unwrap().detach();
            }
            let tasks: [_; 16] = std::array::from_fn(|n| works::spawn(n as u64 * 50).unwrap());
            for (n, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.await, Ok(n as u64 * 50));
            }
        });
        GO.wait();
    });
    assert_eq!(reader.join().unwrap(), (0..16 * 50).sum());
    let (of_the_close, ()) = allocations(|| closes_cleanly(runtime));
    assert_eq!((of_the_work, of_the_close), (0, 0));

    let (alone, runtime) = allocations(|| CELL.start(Config::new()).expect("a runtime"));
    assert_eq!(alone, 0, "one worker is the calling thread");
    closes_cleanly(runtime);
}

fn nothing_is_left_of_a_thousand() {
    static CELL: RuntimeCell<4, 4> = RuntimeCell::new();
    let round = |round: usize| {
        let idle = [Idle::Sleep, Idle::SpinFor(Duration::from_micros(5)), Idle::Spin][round % 3];
        let config =
            Config::new().workers(1 + round % 4).entries(8).pinned(round.is_multiple_of(5)).idle(idle);
        let mut runtime = CELL.start(config).expect("a runtime");
        runtime.block_on(async {
            for _ in 0..4 {
                sleeps_for_ever::spawn().unwrap().detach();
            }
            yield_now().await;
        });
        closes_cleanly(runtime);
        assert_eq!(sleeps_for_ever::memory().used, 0, "{round}");
    };
    // The doorbells of as many rings as there are at a time stay open, and the system keeps some stacks.
    (0..60).for_each(round);
    let state = || (entries("fd"), entries("task"), processors());
    let (before, pages_before) = (state(), pages());
    (0..1000).for_each(|n| {
        round(n);
        // A joined thread may be on its way out of the list.
        let gone = || {
            (0..1000).any(|_| {
                entries("task") == before.1 || {
                    thread::yield_now();
                    false
                }
            })
        };
        assert!(n % 50 != 0 || gone(), "{n}");
    });
    assert_eq!(state(), before, "descriptors, threads, processors of this thread");
    let grown = pages().saturating_sub(pages_before);
    println!("address space: {pages_before} pages before, {grown} more after a thousand starts");
    assert!(grown < 512, "{grown} pages more");
}

fn processors_are_listed_or_refused() {
    static CELL: RuntimeCell<4, 2> = RuntimeCell::new();
    let before = processors();
    let first = before.rsplit('\t').next().unwrap().split(['-', ',']).next().unwrap().parse().unwrap();
    #[task]
    async fn tells() -> String {
        processors()
    }
    let mut runtime = CELL.start(Config::new().workers(2).cpus(&[first])).expect("a runtime");
    let one = format!("Cpus_allowed_list:\t{first}");
    assert_eq!(processors(), one, "the calling thread is worker 0");
    let remote = runtime.remote();
    let there = runtime.block_on(async { tells::spawn_on(&remote.worker(1).unwrap()).unwrap().await });
    assert_eq!(there, Ok(one));
    closes_cleanly(runtime);
    assert_eq!(processors(), before, "it is free again");

    let threads = entries("task");
    for (cpus, worker, cpu) in [([first, 1023], 1, 1023), ([4096, first], 0, 4096)] {
        let refused = CELL.start(Config::new().workers(2).cpus(&cpus)).unwrap_err();
        let StartError::Cpu { worker: w, cpu: c } = refused else { panic!("{refused}") };
        assert_eq!((w, c), (worker, cpu));
        assert!(refused.to_string().contains(&format!("worker {worker} is to run on processor {cpu}")));
    }
    assert_eq!((entries("task"), processors()), (threads, before));
    closes_cleanly(CELL.start(Config::new().workers(2)).expect("a refused start leaves the storage free"));
}
