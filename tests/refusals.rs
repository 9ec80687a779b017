//! What the system refuses an ordinary user gives its error: limits, privileges, processors. Without a harness: each case
//! runs in a process of its own, which lowers its limits and, started by root, becomes an ordinary user first.

use std::process::Command;
use std::time::Duration;
use unboxed::ring::SetupError;
use unboxed::rt::{Config, Runtime, RuntimeCell, SqPoll, StartError};

const CASE: &str = "UNBOXED_REFUSED_CASE";
/// nobody
const ORDINARY: libc::uid_t = 65534;

static CELL: RuntimeCell<4, 2> = RuntimeCell::new();

const CASES: [(&str, fn()); 9] = [
    ("no locked memory, not even a ring's", no_memory_for_a_ring),
    ("memory locks above the limit", no_memory_to_lock),
    ("memory locks where none is allowed", nothing_to_lock),
    ("real-time priority without a limit's leave", no_realtime),
    ("real-time priority within the limit, and undone", realtime_within_the_limit),
    ("a lower nice level", no_lower_nice),
    ("a higher nice level", higher_nice),
    ("a processor outside of the affinity", no_processor),
    ("threads above the limit", no_threads),
];

fn main() {
    if let Ok(case) = std::env::var(CASE) {
        let (_, run) = CASES.iter().find(|(name, _)| *name == case).expect("a case");
        return run();
    }
    if CELL.start(Config::new()).map(closes_cleanly).is_err() {
        return println!("skipped: there is no ring here");
    }
    // SAFETY: asks for a number.
    if unsafe { libc::geteuid() } != 0 {
        println!(
            "not root: run with the privileges that this user has, which may be more than an ordinary one's"
        );
    }
    let this = std::env::current_exe().expect("a path");
    let failed = CASES.iter().filter(|(name, _)| {
        let status = Command::new(&this).env(CASE, name).status().expect("a process");
        println!("{name}: {}", if status.success() { "ok" } else { "FAILED" });
        !status.success()
    });
    assert_eq!(failed.count(), 0);
}

fn closes_cleanly(runtime: Runtime) {
    let report = runtime.close(Duration::from_secs(5));
    assert_eq!((report.detached, report.stuck), (0, 0));
}

/// Sets both limits; to raise one is a privilege.
fn try_limit(which: libc::__rlimit_resource_t, to: u64) -> bool {
    let limit = libc::rlimit { rlim_cur: to, rlim_max: to };
    // SAFETY: a live record that is read.
    unsafe { libc::setrlimit(which, &raw const limit) == 0 }
}

fn limit(which: libc::__rlimit_resource_t, to: u64) {
    assert!(try_limit(which, to));
}

/// Gives every privilege up.
fn become_ordinary() {
    // SAFETY: numbers, and an empty list; nothing runs but this thread.
    unsafe {
        if libc::geteuid() == 0 {
            assert_eq!(libc::setgroups(0, std::ptr::null()), 0);
            assert_eq!(libc::setgid(ORDINARY), 0);
            assert_eq!(libc::setuid(ORDINARY), 0);
        }
    }
}

/// The error of a start; the same storage starts without what was refused.
fn refused(config: Config) -> StartError {
    let error = CELL.start(config).map(closes_cleanly).expect_err("it is refused");
    println!("  {error}");
    error
}

fn starts_without() {
    let mut runtime = CELL.start(Config::new()).expect("the same storage");
    runtime.block_on(async { unboxed::op::nop().await.unwrap() });
    closes_cleanly(runtime);
}

fn no_memory_for_a_ring() {
    limit(libc::RLIMIT_MEMLOCK, 0);
    become_ordinary();
    match CELL.start(Config::new()) {
        Ok(runtime) => {
            println!("  this kernel does not count a ring's memory");
            closes_cleanly(runtime);
        }
        Err(error) => {
            assert!(matches!(error, StartError::Ring(SetupError::NoMemory)), "{error}");
            assert!(error.to_string().contains("LimitMEMLOCK"), "{error}");
        }
    }
}

fn no_memory_to_lock() {
    const LIMIT: u64 = 4096;
    limit(libc::RLIMIT_MEMLOCK, LIMIT);
    become_ordinary();
    let error = refused(Config::new().lock_memory(true));
    let said = matches!(error, StartError::Lock { wanted, limit: LIMIT, .. } if wanted > size_of_val(&CELL));
    assert!(said, "{error:?}");
    assert!(error.to_string().contains("RLIMIT_MEMLOCK is 4096"), "{error}");
    assert_eq!(locked_kib(), 0);
}

fn nothing_to_lock() {
    limit(libc::RLIMIT_MEMLOCK, 0);
    become_ordinary();
    let error = refused(Config::new().lock_memory(true).prefault(true));
    assert!(matches!(error, StartError::Lock { limit: 0, .. }), "{error:?}");
}

fn locked_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Policy and nice level of the calling thread.
fn urgency() -> (i32, i32) {
    // SAFETY: numbers.
    unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) }
}

fn no_realtime() {
    limit(libc::RLIMIT_RTPRIO, 0);
    become_ordinary();
    let before = urgency();
    for workers in 1..=2 {
        let error = refused(Config::new().realtime(10).workers(workers));
        assert!(matches!(error, StartError::Realtime { priority: 10, limit: 0, .. }), "{error:?}");
        assert!(error.to_string().contains("CAP_SYS_NICE"), "{error}");
        assert_eq!(urgency(), before);
    }
    starts_without();
}

fn realtime_within_the_limit() {
    if !try_limit(libc::RLIMIT_RTPRIO, 20) {
        return println!("  skipped: this process may not raise the limit (CAP_SYS_RESOURCE)");
    }
    become_ordinary();
    let error = refused(Config::new().realtime(21));
    assert!(matches!(error, StartError::Realtime { priority: 21, limit: 20, .. }), "{error:?}");
    let runtime = CELL.start(Config::new().realtime(20)).expect("within the limit");
    assert_eq!(urgency().0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK);
    closes_cleanly(runtime);
    // To take the flag back is a privilege.
    assert_eq!(urgency().0 & !libc::SCHED_RESET_ON_FORK, libc::SCHED_OTHER);
}

fn no_lower_nice() {
    limit(libc::RLIMIT_NICE, 0);
    become_ordinary();
    let before = urgency();
    let error = refused(Config::new().nice(-5));
    assert!(matches!(error, StartError::Nice { level: -5, limit: 0, .. }), "{error:?}");
    assert!(error.to_string().contains("LimitNICE"), "{error}");
    assert_eq!(urgency(), before);
    starts_without();
}

fn higher_nice() {
    become_ordinary();
    let runtime = CELL.start(Config::new().nice(19)).expect("anyone may");
    assert_eq!(urgency().1, 19);
    closes_cleanly(runtime);
}

fn no_processor() {
    // SAFETY: a set of our own, and numbers below its size.
    let other = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size_of_val(&set), &raw mut set), 0);
        let allowed: Vec<usize> = (0..1024).filter(|&cpu| libc::CPU_ISSET(cpu, &set)).collect();
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(allowed[0], &mut set);
        assert_eq!(libc::sched_setaffinity(0, size_of_val(&set), &raw const set), 0);
        allowed.get(1).copied().unwrap_or(1023)
    };
    become_ordinary();
    let error = refused(Config::new().cpus(&[other as u32]));
    assert!(matches!(error, StartError::Cpu { worker: 0, cpu } if cpu == other), "{error:?}");
    let idle = Duration::from_millis(1);
    let error = refused(Config::new().sqpoll(SqPoll::On { core: None, idle }));
    assert!(matches!(error, StartError::SqPoll { usable: 1 }), "{error:?}");
    starts_without();
}

fn no_threads() {
    limit(libc::RLIMIT_NPROC, 0);
    become_ordinary();
    let error = refused(Config::new().workers(2));
    assert!(matches!(error, StartError::Thread(_)), "{error:?}");
    starts_without();
}
