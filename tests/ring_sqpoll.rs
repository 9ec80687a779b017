//! A thread of the kernel's that takes submissions, on the real ring and forced on: these machines have few processors.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as PlainStream};
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use unboxed::exec::Budget;
use unboxed::net::TcpListener;
use unboxed::op::nop;
use unboxed::rt::{Config, Rest, Runtime, RuntimeCell, SqPoll, StartError};
use unboxed::task::Bytes;
use unboxed::{task, yield_now};

/// The kernel's threads are counted over the whole process.
static ALONE: Mutex<()> = Mutex::new(());

const IDLE: Duration = Duration::from_millis(1);
const FORCED: Config = Config::new().sqpoll(SqPoll::Forced { core: None, idle: IDLE });

macro_rules! runtime {
    ($config:expr) => {{
        static CELL: RuntimeCell<64, 3> = RuntimeCell::new();
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

/// Name and allowed processors of each thread of the process.
fn threads() -> Vec<(String, String)> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let status = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status")).ok();
    let line = |status: &str, what: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(what)).expect(what);
        value.trim().to_owned()
    };
    tasks
        .filter_map(|task| status(task.ok()?))
        .map(|status| (line(&status, "Name:"), line(&status, "Cpus_allowed_list:")))
        .collect()
}

fn kernel_threads() -> Vec<String> {
    threads().into_iter().filter(|(name, _)| name.starts_with("iou-sqp")).map(|(_, cpus)| cpus).collect()
}

/// The kernel ends its thread some time after the ring.
fn wait_for_no_kernel_thread() {
    let begin = Instant::now();
    while !kernel_threads().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", threads());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The processors that this thread may use.
fn processors() -> Vec<u32> {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        from.parse().unwrap()..=to.parse().unwrap()
    };
    list.trim().split(',').flat_map(range).collect()
}

#[task(pool = 8, ops = 1)]
async fn nops(rounds: u32) -> u32 {
    for _ in 0..rounds {
        nop().await.unwrap();
        yield_now().await;
    }
    rounds
}

#[test]
fn three_rings_share_one_thread_on_its_own_processor() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    wait_for_no_kernel_thread();
    let before = processors();
    let last = *before.last().unwrap();
    let mut runtime = runtime!(FORCED.workers(3).name("polled"));
    runtime.block_on(async {
        let mut handles = Vec::new();
        for _ in 0..8 {
            handles.push(nops::spawn(200).unwrap());
        }
        for handle in handles {
            assert_eq!(handle.await, Ok(200));
        }
    });
    assert_eq!(kernel_threads(), [last.to_string()], "one thread, on the last processor: {:?}", threads());
    if before.len() > 1 {
        let workers = threads().into_iter().filter(|(name, _)| name.starts_with("polled-"));
        let cpus: Vec<_> = workers.map(|(_, cpus)| cpus).collect();
        assert_eq!(cpus.len(), 2);
        assert!(!processors().contains(&last), "worker 0 keeps off it");
        for list in cpus {
            assert!(!list.contains(&last.to_string()), "{list} has {last}");
        }
    }
    closes_cleanly(runtime);
    assert_eq!(processors(), before, "the calling thread is where it was");
    wait_for_no_kernel_thread();
}

#[test]
fn the_thread_goes_where_it_is_told() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    wait_for_no_kernel_thread();
    let first = processors()[0];
    let config = Config::new().cpus(&[first]).sqpoll(SqPoll::Forced { core: Some(first), idle: IDLE });
    let mut runtime = runtime!(config);
    runtime.block_on(async { nop().await.unwrap() });
    assert_eq!(kernel_threads(), [first.to_string()]);
    assert_eq!(processors(), [first], "a worker that was placed by name stays there");
    closes_cleanly(runtime);
}

#[test]
fn refusals_say_why() {
    static CELL: RuntimeCell<4> = RuntimeCell::new();
    let on = |core| SqPoll::On { core, idle: IDLE };
    let usable = processors().len();
    if usable <= 2 {
        let refused = CELL.start(Config::new().sqpoll(on(None))).map(drop).unwrap_err();
        assert!(matches!(refused, StartError::SqPoll { usable: said } if said == usable), "{refused}");
        assert!(refused.to_string().contains("SqPoll::Forced"), "{refused}");
    }
    let forced = SqPoll::Forced { core: Some(9999), idle: IDLE };
    let refused = CELL.start(Config::new().sqpoll(forced)).map(drop).unwrap_err();
    assert!(refused.to_string().contains("processor 9999"), "{refused}");
    // Nothing of it stays: the same storage starts.
    if let Ok(runtime) = CELL.start(Config::new()) {
        closes_cleanly(runtime);
    }
}

/// Submits about when the thread falls asleep: its idle time is a millisecond of the kernel's clock. A lost wake hangs,
/// since nothing else happens in the runtime; the watcher then says so. `SQPOLL_ROUNDS` makes it longer.
#[test]
fn no_submission_is_lost_to_a_thread_that_falls_asleep() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    static ROUND: AtomicU32 = AtomicU32::new(0);
    let rounds = std::env::var("SQPOLL_ROUNDS").map_or(300, |text| text.parse().expect("a number of rounds"));
    let mut runtime = runtime!(FORCED);
    std::thread::spawn(move || {
        let mut seen = u32::MAX;
        while ROUND.load(Ordering::Relaxed) < rounds {
            let now = ROUND.load(Ordering::Relaxed);
            if std::mem::replace(&mut seen, now) == now {
                eprintln!("round {now} of {rounds}: a submission was lost");
                std::process::abort();
            }
            std::thread::sleep(Duration::from_secs(30));
        }
    });
    let mut random = 1u32;
    runtime.block_on(async {
        for round in 0..rounds {
            nop().await.unwrap();
            ROUND.store(round + 1, Ordering::Relaxed);
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            // Between 0 and 6 ms, in steps of microseconds: before, at and after the end of the idle time.
            let pause = Duration::from_micros(u64::from(random % 6000));
            if random.is_multiple_of(4) {
                std::thread::sleep(pause);
            } else {
                let begin = Instant::now();
                while begin.elapsed() < pause / 2 {
                    std::hint::spin_loop();
                }
            }
        }
    });
    closes_cleanly(runtime);
}

#[task(pool = 4, ops = 2, bytes = 4096)]
async fn echo(mut stream: unboxed::net::TcpStream, mut bytes: Bytes<'_>) {
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&mut bytes).first(count).await.is_err() {
            break;
        }
    }
}

#[task(pool = 60, ops = 1)]
async fn one_nop() {
    nop().await.unwrap();
}

#[test]
fn sockets_dropped_operations_and_a_full_queue_work_as_ever() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut runtime = runtime!(FORCED.entries(4).completion_entries(8));
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut listener = runtime.enter(|| TcpListener::bind(anywhere)).unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || {
        let mut stream = PlainStream::connect(address).unwrap();
        let sent: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        for part in sent.chunks(3000) {
            stream.write_all(part).unwrap();
            let mut back = vec![0; part.len()];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(back, part);
        }
    });
    runtime.block_on(async {
        let stream = listener.accept().await.unwrap();
        let served = echo::spawn(stream).unwrap();
        // More at once than both queues hold, and some that nobody waits for.
        for _ in 0..20 {
            let mut handles = Vec::new();
            for _ in 0..60 {
                // An aborted task's block comes back with the end of its operation.
                handles.push(one_nop::reserve().await.spawn(()).unwrap());
            }
            for (index, handle) in handles.into_iter().enumerate() {
                if index % 3 == 0 {
                    handle.abort();
                }
                let _ = handle.await;
            }
        }
        served.await.unwrap();
        // A second accept that never ends, and is dropped.
        assert!(unboxed::time::timeout(Duration::from_millis(5), listener.accept()).await.is_err());
    });
    client.join().unwrap();
    drop(listener);
    assert_eq!(runtime.in_flight(), 0);
    closes_cleanly(runtime);
    assert_eq!(one_nop::memory().used, 0);
}

/// A loop outside sleeps in poll(2) until something completes, though the kernel's thread sleeps when it is submitted.
#[test]
fn a_loop_outside_may_sleep_beside_it() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    static CELL: RuntimeCell<64> = RuntimeCell::new();
    let mut runtime = match CELL.start_pollable(FORCED) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    for round in 0..20 {
        if round % 2 == 0 {
            // Its idle time is a tick or two of the kernel's.
            std::thread::sleep(Duration::from_millis(20));
        }
        let task = runtime.enter(|| waits_a_little::spawn().unwrap());
        let mut sleeps = 0;
        for turns in 0.. {
            assert!(turns < 1000, "it never sleeps");
            let more = runtime.turn(Budget::POLL).more;
            if task.is_finished() {
                break;
            }
            let rest = if more { Rest::No } else { runtime.prepare_to_sleep() };
            if rest != Rest::No {
                sleeps += 1;
                let timeout = if rest == Rest::Forever { 10_000 } else { rest.timeout_ms() };
                let mut entry = libc::pollfd { fd: runtime.as_raw_fd(), events: libc::POLLIN, revents: 0 };
                // SAFETY: one live entry of the layout that the call takes.
                let ready = unsafe { libc::poll(&raw mut entry, 1, timeout) };
                assert!(ready != 0 || rest != Rest::Forever, "slept for ever");
            }
        }
        assert!(sleeps > 0, "the timer is not due yet");
    }
    closes_cleanly(runtime.into_inner());
}

/// First for the clock, which the loop outside has, then for the kernel.
#[task(pool = 1, ops = 1)]
async fn waits_a_little() {
    unboxed::time::sleep(Duration::from_millis(1)).await.unwrap();
    nop().await.unwrap();
}
