//! What a start does to memory and threads when it may: prefault, locks, urgency, busy polling. Alone in its process, and
//! without a harness: memory, limits and counters are the process's, and nothing may allocate meanwhile.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use unboxed::alloc::Counting;
use unboxed::buf::BufPool;
use unboxed::op::nop;
use unboxed::ring::{Napi, RingConfig, RingLoop, SetupError};
use unboxed::rt::{Config, Idle, Runtime, RuntimeCell, SqPoll, StartError};
use unboxed::task;

#[global_allocator]
static HEAP: Counting = Counting::new();

static CELL: RuntimeCell<4, 2> = RuntimeCell::new();
/// So large that the program has it for itself, and never used before.
static BUFFERS: BufPool<4096, 4096> = BufPool::new();

fn main() {
    if let Err(error) = CELL.start(Config::new()).map(closes_cleanly) {
        return println!("skipped: {error}");
    }
    all_statics_are_there_after_a_prefault();
    locked_statics_stay();
    workers_are_as_urgent_as_they_are_told();
    busy_polling_is_set_or_refused();
    nothing_is_allocated_in_any_mode();
}

fn closes_cleanly(runtime: Runtime) {
    let report = runtime.close(Duration::from_secs(5));
    assert_eq!((report.detached, report.stuck), (0, 0));
}

/// How many pages of the buffers are in memory.
fn resident_pages() -> usize {
    let start = (&raw const BUFFERS).addr().next_multiple_of(4096);
    let mut pages = [0u8; 4096];
    // SAFETY: a range within the static, and a byte for each page of it.
    let done = unsafe { libc::mincore(start as *mut libc::c_void, 4095 * 4096, pages.as_mut_ptr()) };
    assert_eq!(done, 0);
    pages.iter().filter(|page| *page & 1 == 1).count()
}

/// Page faults of this thread so far.
fn faults() -> i64 {
    // SAFETY: zeros are a record, which the kernel writes.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage);
        usage.ru_minflt
    }
}

fn all_statics_are_there_after_a_prefault() {
    assert!(resident_pages() < 4000, "nobody has used them: {}", resident_pages());
    closes_cleanly(CELL.start(Config::new().prefault(true)).expect("memory enough"));
    assert_eq!(resident_pages(), 4095);
    let before = faults();
    let mut leases = Vec::with_capacity(4096);
    while let Some(mut lease) = BUFFERS.lease() {
        lease.whole()[0] = 1;
        leases.push(lease);
    }
    assert_eq!(leases.len(), 4096);
    // A sanitizer has memory of its own beside each page.
    assert!(faults() - before < 2048, "{} faults for 4096 pages", faults() - before);
    println!("all_statics_are_there_after_a_prefault: ok");
}

fn locked_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn locked_statics_stay() {
    assert_eq!(locked_kib(), 0);
    match CELL.start(Config::new().lock_memory(true).workers(2)) {
        Err(error @ StartError::Lock { .. }) => return println!("skipped: {error}"),
        runtime => {
            let runtime = runtime.unwrap();
            let with_rings = locked_kib();
            closes_cleanly(runtime);
            assert!(locked_kib() >= size_of_val(&BUFFERS) / 1024, "{} KiB", locked_kib());
            assert!(with_rings > locked_kib(), "the rings' own pages are locked while they are open");
        }
    }
    // Twice is once.
    let before = locked_kib();
    closes_cleanly(CELL.start(Config::new().lock_memory(true)).unwrap());
    assert_eq!(locked_kib(), before);
    println!("locked_statics_stay: ok");
}

/// Policy and nice level of the calling thread.
fn urgency() -> (i32, i32) {
    // SAFETY: numbers.
    unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) }
}

#[task(pool = 2)]
async fn tells() -> (i32, i32) {
    urgency()
}

fn workers_are_as_urgent_as_they_are_told() {
    let before = urgency();
    let config = Config::new().workers(2).realtime(1).nice(-3);
    let mut runtime = match CELL.start(config) {
        Err(error @ (StartError::Realtime { .. } | StartError::Nice { .. })) => {
            return println!("skipped: {error}");
        }
        runtime => runtime.unwrap(),
    };
    let remote = runtime.remote();
    let expected = (libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, -3);
    runtime.block_on(async {
        assert_eq!(urgency(), expected);
        // Its other worker's thread, too: by name, so that it starts there.
        let there = remote.worker(1).expect("two workers");
        assert_eq!(tells::spawn_on(&there).expect("a block").await, Ok(expected));
        // What the workers start is ordinary.
        let child = std::thread::spawn(urgency).join().unwrap();
        assert_eq!(child.0, libc::SCHED_OTHER);
    });
    closes_cleanly(runtime);
    assert_eq!(urgency(), before);
    println!("workers_are_as_urgent_as_they_are_told: ok");
}

fn busy_polling_is_set_or_refused() {
    const UNREGISTER_NAPI: libc::c_uint = 28;
    let napi = Some(Napi { time_us: 50, prefer: true });
    match RingLoop::open(RingConfig { napi, ..RingConfig::new() }) {
        Ok(ring) => {
            // The kernel's record; it tells what was set.
            let mut set = [0u32; 4];
            // SAFETY: the record has 16 bytes, which the kernel writes.
            let done = unsafe {
                libc::syscall(
                    libc::SYS_io_uring_register,
                    ring.as_raw_fd(),
                    UNREGISTER_NAPI,
                    set.as_mut_ptr(),
                    1,
                )
            };
            assert_eq!((done, set[0], set[1] & 0xff), (0, 50, 1));
            drop(ring);
            let config = Config::new().napi(Duration::from_micros(50), false).workers(2);
            let mut runtime = CELL.start(config).unwrap();
            runtime.block_on(async { nop().await.unwrap() });
            closes_cleanly(runtime);
            println!("busy_polling_is_set_or_refused: ok");
        }
        Err(error) => {
            assert!(matches!(error, SetupError::NoNapi(_)), "{error}");
            println!("busy_polling_is_set_or_refused: ok, with {error}");
        }
    }
}

#[task(pool = 4, ops = 1)]
async fn works(count: &'static AtomicU32) {
    nop().await.unwrap();
    unboxed::yield_now().await;
    count.fetch_add(1, Ordering::Relaxed);
}

fn nothing_is_allocated_in_any_mode() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let idle = Duration::from_millis(1);
    let modes = [
        ("plain", Config::new()),
        ("submissions by a kernel thread", Config::new().sqpoll(SqPoll::Forced { core: None, idle })),
        ("prefault and locks", Config::new().prefault(true).lock_memory(true)),
        ("urgent", Config::new().realtime(1).nice(-3)),
        ("busy polling", Config::new().napi(Duration::from_micros(10), true)),
        ("spinning", Config::new().idle(Idle::Spin)),
        ("bound", Config::new().pinned(true)),
    ];
    for (name, config) in modes {
        let mut runtime = match CELL.start(config) {
            Ok(runtime) => runtime,
            Err(error) => {
                println!("skipped: {name}: {error}");
                continue;
            }
        };
        let allocated = runtime.block_on(async {
            works::spawn(&COUNT).unwrap().await.unwrap();
            let before = HEAP.allocations();
            for _ in 0..200 {
                let (one, other) = (works::spawn(&COUNT).unwrap(), works::spawn(&COUNT).unwrap());
                one.await.unwrap();
                other.await.unwrap();
                unboxed::time::sleep(Duration::from_micros(20)).await.unwrap();
            }
            HEAP.allocations() - before
        });
        assert_eq!(allocated, 0, "{name}");
        closes_cleanly(runtime);
    }
    println!("nothing_is_allocated_in_any_mode: ok");
}
