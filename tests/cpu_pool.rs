//! Threads that compute: how nice they are and where they run, and slices of their time.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use unboxed::blocking::{BlockingPool, CpuPool, JobError, Why};
use unboxed::rt::{Config, Runtime, RuntimeCell, SqPoll, StartError};
use unboxed::time::sleep;
use unboxed_tests::poll_once;

macro_rules! runtime {
    ($config:expr) => {{
        static CELL: RuntimeCell<8, 2> = RuntimeCell::new();
        match CELL.start($config) {
            Ok(runtime) => runtime,
            Err(StartError::Ring(error)) => {
                println!("skipped: {error}");
                return;
            }
            Err(error) => panic!("{error}"),
        }
    }};
}

fn closes_cleanly(runtime: Runtime) {
    let report = runtime.close(Duration::from_secs(5));
    assert_eq!((report.detached, report.stuck), (0, 0));
}

/// Niceness of the calling thread.
fn niceness() -> i32 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // Behind the name, which may have anything in it, the 19th field is the 17th.
    stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().parse().unwrap()
}

/// Processors of the calling thread, as the system writes them.
fn processors() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
}

/// Which processors pools keep off is the process's, so what looks at processors does so alone.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spin_for(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn its_threads_are_nicer_than_who_starts_them() {
    static CPU: CpuPool<1, 2, 64> = CpuPool::new();
    static STARTED: CpuPool<1, 2, 64> = CpuPool::new();
    STARTED.start("computes", 3).unwrap();
    let mut runtime = runtime!(Config::new());
    let here = niceness();
    let (by_job, by_name) = runtime.block_on(async {
        let of_thread = |_: &_| (std::thread::current().name().unwrap().len(), niceness());
        (CPU.run(of_thread).await.unwrap(), STARTED.run(of_thread).await.unwrap())
    });
    assert_eq!(by_job, ("cpu-0".len(), (here + 10).min(19)));
    assert_eq!(by_name, ("computes-0".len(), (here + 3).min(19)));
    assert_eq!(niceness(), here);
    closes_cleanly(runtime);
    assert_eq!(CPU.close(Duration::from_secs(5)).stuck, 0);
    assert_eq!(STARTED.close(Duration::from_secs(5)).stuck, 0);
}

/// The one that a worker is bound to would be inherited.
#[test]
fn threads_of_pools_are_not_bound_with_the_worker_that_starts_them() {
    let _alone = alone();
    static CPU: CpuPool<1, 2, 64> = CpuPool::new();
    static BLOCKING: BlockingPool<1, 2, 64> = BlockingPool::new();
    let before = processors();
    let mut runtime = runtime!(Config::new().pinned(true));
    runtime.block_on(async {
        let same = before.clone();
        assert!(CPU.run(move |_| processors() == same).await.unwrap());
        let same = before.clone();
        assert!(BLOCKING.run(move || processors() == same).await.unwrap());
    });
    closes_cleanly(runtime);
    assert_eq!(processors(), before);
    CPU.close(Duration::from_secs(5));
    BLOCKING.close(Duration::from_secs(5));
}

#[test]
fn they_keep_off_the_processor_of_a_kernel_thread() {
    let _alone = alone();
    static CPU: CpuPool<1, 2, 64> = CpuPool::new();
    static LATER: CpuPool<1, 2, 64> = CpuPool::new();
    let before = processors();
    if !before.contains([',', '-']) {
        println!("skipped: there is one processor");
        return;
    }
    let mut runtime =
        runtime!(Config::new().sqpoll(SqPoll::Forced { core: None, idle: Duration::from_millis(1) }));
    let on = runtime.block_on(async {
        let on = Arc::new(std::sync::Mutex::new(String::new()));
        let told = on.clone();
        CPU.run(move |_| *told.lock().unwrap() = processors()).await.unwrap();
        Arc::try_unwrap(on).unwrap().into_inner().unwrap()
    });
    let last = before.rsplit([',', '-']).next().unwrap();
    assert!(on.rsplit([',', '-']).next().unwrap() != last, "{on} without {last}");
    closes_cleanly(runtime);
    let mut runtime = runtime!(Config::new());
    let free = runtime.block_on(LATER.run(move |_| processors() == before));
    assert!(free.unwrap(), "once it is closed, the processor is everybody's");
    closes_cleanly(runtime);
    CPU.close(Duration::from_secs(5));
    LATER.close(Duration::from_secs(5));
}

#[test]
fn a_slice_is_due_only_while_another_job_waits() {
    static CPU: CpuPool<1, 2, 64> = CpuPool::new();
    static GO: AtomicBool = AtomicBool::new(false);
    let mut runtime = runtime!(Config::new());
    runtime.block_on(async {
        let job = CPU.spawn_cpu(|slice| {
            let early = slice.is_due();
            spin_for(Duration::from_millis(12));
            let alone = (slice.is_due(), slice.is_over());
            GO.store(true, Ordering::Release);
            let begin = Instant::now();
            while !slice.is_due() {
                assert!(begin.elapsed() < Duration::from_secs(60));
            }
            (early, alone)
        });
        let job = job.unwrap();
        while !GO.load(Ordering::Acquire) {
            sleep(Duration::from_millis(1)).await.unwrap();
        }
        let second = CPU.spawn_cpu(|_| ()).unwrap();
        let rejected = CPU.spawn_cpu(|_| 7).unwrap_err();
        assert_eq!((rejected.why, rejected.places), (Why::Full, 2));
        assert_eq!(job.await.unwrap(), (false, (false, false)), "with nobody waiting a new slice begins");
        second.await.unwrap();
    });
    closes_cleanly(runtime);
    CPU.close(Duration::from_secs(5));
}

#[test]
fn a_long_job_in_slices_lets_short_ones_through() {
    static CPU: CpuPool<1, 8, 128> = CpuPool::new();
    static STOP: AtomicBool = AtomicBool::new(false);
    static STEPS: AtomicU32 = AtomicU32::new(0);
    #[unboxed::task(pool = 1)]
    async fn long() -> u32 {
        let step = || {
            spin_for(Duration::from_micros(100));
            let steps = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
            if STOP.load(Ordering::Acquire) { ControlFlow::Break(steps) } else { ControlFlow::Continue(()) }
        };
        CPU.run_in_slices(step).await.unwrap()
    }
    let mut runtime = runtime!(Config::new());
    runtime.block_on(async {
        let long = long::spawn().unwrap();
        while STEPS.load(Ordering::Relaxed) == 0 {
            sleep(Duration::from_millis(1)).await.unwrap();
        }
        // It does not end before these have: each waits for a slice and not for the whole.
        for round in 0..20 {
            assert_eq!(CPU.run(move |_| round).await.unwrap(), round);
        }
        STOP.store(true, Ordering::Release);
        assert_eq!(long.await.unwrap(), STEPS.load(Ordering::Relaxed), "one after the other, none twice");
    });
    closes_cleanly(runtime);
    CPU.close(Duration::from_secs(5));
}

#[test]
fn a_dropped_job_in_slices_ends_with_its_slice_and_a_panic_reaches_its_task() {
    static CPU: CpuPool<1, 2, 128> = CpuPool::new();
    let mut runtime = runtime!(Config::new());
    runtime.block_on(async {
        let held = Arc::new(());
        let also_held = held.clone();
        let mut endless = Box::pin(CPU.run_in_slices(move || {
            let _in_it = &also_held;
            spin_for(Duration::from_micros(100));
            ControlFlow::<()>::Continue(())
        }));
        for _ in 0..30 {
            assert!(poll_once(&mut endless).await.is_pending());
            sleep(Duration::from_millis(1)).await.unwrap();
        }
        drop(endless);
        let begin = Instant::now();
        while Arc::strong_count(&held) > 1 {
            assert!(begin.elapsed() < Duration::from_secs(60), "its rest goes on");
            sleep(Duration::from_millis(1)).await.unwrap();
        }
        let mut left = 3;
        let panics = CPU.run_in_slices(move || {
            left -= 1;
            assert!(left > 0, "on purpose");
            ControlFlow::<()>::Continue(())
        });
        assert!(matches!(panics.await, Err(JobError::Panicked(_))));
        assert_eq!(CPU.counts(), (0, 0, 0));
    });
    closes_cleanly(runtime);
    CPU.close(Duration::from_secs(5));
}
