//! `cargo bench -p unboxed-benches --bench doorbell`: what it costs to wake a ring that sleeps in the kernel, by each of
//! the ways there are, on bare rings. It chose the doorbell of the runtime: see `std-glue/src/ring/bell.rs`.

use io_uring::types::Fd;
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use unboxed_benches::median;

const ROUNDS: usize = 9;
const RINGS: u32 = 200;
/// `IORING_REGISTER_SEND_MSG_RING`, which the `io-uring` crate does not have.
const REGISTER_SEND_MSG_RING: u32 = 31;
const BELL: u64 = 1;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// A write to an eventfd that the sleeper's ring polls.
    EventFd,
    /// A message by `io_uring_register`, from a thread with or without a ring.
    Register,
    /// A message through the sender's own ring, entered at once.
    OwnRing,
    /// The same beside a no-op, in an enter that is due anyway.
    Along,
    /// That enter without a message, to be taken off. It wakes nobody.
    Nothing,
}

const WAYS: [(Way, &str); 5] = [
    (Way::EventFd, "eventfd"),
    (Way::Register, "message by register"),
    (Way::OwnRing, "message by the own ring"),
    (Way::Along, "message along with an enter"),
    (Way::Nothing, "an enter alone"),
];

struct Sleeper {
    begin: Instant,
    ring: AtomicU64,
    event: i32,
    /// Nanoseconds since `begin` of the last wake.
    woken: AtomicU64,
    /// Nanoseconds of processor time of its thread.
    cpu: AtomicU64,
    wakes: AtomicU64,
    stop: AtomicBool,
}

/// Processor time of this thread.
fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes the local; this clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Binds this thread to a processor, if the process may use it: waking one on another is what is measured.
fn bind(cpu: usize) {
    // SAFETY: zeroed is the empty set, and the number is below its size.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        if libc::sched_setaffinity(0, size_of_val(&set), &raw const set) != 0 {
            println!("not bound to processor {cpu}");
        }
    }
}

fn ring() -> std::io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
    builder.build(64)
}

/// Sleeps in its ring until it is told to stop, and says when it woke.
fn sleep_in_ring(shared: &Sleeper) {
    bind(1);
    let mut ring = ring().expect("a ring");
    let poll = opcode::PollAdd::new(Fd(shared.event), libc::POLLIN as u32).multi(true).build();
    // SAFETY: R0: a poll names no memory.
    unsafe { ring.submission().push(&poll.user_data(BELL)) }.expect("room");
    ring.submit().expect("armed");
    shared.ring.store(ring.as_raw_fd() as u64, Ordering::Release);
    while !shared.stop.load(Ordering::Acquire) {
        ring.submit_and_wait(1).expect("a sleep");
        let now = shared.begin.elapsed().as_nanos() as u64;
        let rings = ring.completion().filter(|c: &cqueue::Entry| c.user_data() == BELL).count() as u64;
        shared.woken.store(now, Ordering::Relaxed);
        shared.cpu.store(thread_cpu_ns(), Ordering::Relaxed);
        shared.wakes.fetch_add(rings, Ordering::Release);
    }
}

fn message(target: i32) -> squeue::Entry {
    opcode::MsgRingData::new(Fd(target), 0, BELL, None).build()
}

/// Rings once; nanoseconds that the caller was kept by it.
fn send(way: Way, shared: &Sleeper, own: &mut IoUring) -> f64 {
    let target = shared.ring.load(Ordering::Acquire) as i32;
    let quiet = |entry: squeue::Entry| entry.flags(squeue::Flags::SKIP_SUCCESS);
    let begin = Instant::now();
    match way {
        Way::EventFd => {
            let one = 1u64;
            // SAFETY: eight bytes of a local.
            let wrote = unsafe { libc::write(shared.event, (&raw const one).cast(), 8) };
            assert_eq!(wrote, 8);
        }
        Way::Register => {
            let entry = message(target);
            // SAFETY: the kernel reads one entry, a live local.
            let sent = unsafe {
                libc::syscall(libc::SYS_io_uring_register, -1, REGISTER_SEND_MSG_RING, &raw const entry, 1)
            };
            assert!(sent >= 0, "{}", std::io::Error::last_os_error());
        }
        Way::OwnRing | Way::Along | Way::Nothing => {
            if way != Way::OwnRing {
                // SAFETY: R0: a no-op names no memory.
                unsafe { own.submission().push(&quiet(opcode::Nop::new().build())) }.expect("room");
            }
            if way != Way::Nothing {
                // SAFETY: R0: a message names no memory.
                unsafe { own.submission().push(&quiet(message(target))) }.expect("room");
            }
            own.submit().expect("enter");
        }
    }
    begin.elapsed().as_nanos() as f64
}

fn main() {
    let Ok(mut own) = ring() else { return println!("skipped: no ring") };
    // SAFETY: takes two numbers.
    let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    assert!(event >= 0);
    let shared = Sleeper {
        begin: Instant::now(),
        ring: AtomicU64::new(0),
        event,
        woken: AtomicU64::new(0),
        cpu: AtomicU64::new(0),
        wakes: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    let mut cpus: [Vec<f64>; WAYS.len()] = Default::default();
    let mut latencies: [Vec<f64>; WAYS.len()] = Default::default();
    let mut costs: [Vec<f64>; WAYS.len()] = Default::default();
    thread::scope(|threads| {
        threads.spawn(|| sleep_in_ring(&shared));
        bind(0);
        while shared.ring.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        for _ in 0..ROUNDS {
            for (index, (way, _)) in WAYS.into_iter().enumerate() {
                let cpu = shared.cpu.load(Ordering::Relaxed);
                for _ in 0..RINGS {
                    // Long enough for the other one to be asleep.
                    thread::sleep(Duration::from_micros(100));
                    let before = shared.wakes.load(Ordering::Acquire);
                    let begin = shared.begin.elapsed().as_nanos() as u64;
                    costs[index].push(send(way, &shared, &mut own));
                    if way == Way::Nothing {
                        continue;
                    }
                    while shared.wakes.load(Ordering::Acquire) == before {
                        std::hint::spin_loop();
                    }
                    latencies[index].push((shared.woken.load(Ordering::Relaxed) - begin) as f64);
                }
                cpus[index].push((shared.cpu.load(Ordering::Relaxed) - cpu) as f64 / f64::from(RINGS));
            }
        }
        shared.stop.store(true, Ordering::Release);
        send(Way::Register, &shared, &mut own);
    });
    println!("{} rings each, interleaved; the sleeper is asleep", ROUNDS * RINGS as usize);
    for (index, (way, name)) in WAYS.into_iter().enumerate() {
        let cost = median(&mut costs[index]) / 1000.0;
        if way == Way::Nothing {
            println!("{name:28} {cost:6.2} us of the sender");
            continue;
        }
        let latency = &mut latencies[index];
        let middle = median(latency) / 1000.0;
        let (low, high) = (latency[latency.len() / 10] / 1000.0, latency[latency.len() * 9 / 10] / 1000.0);
        let cpu = median(&mut cpus[index]) / 1000.0;
        println!(
            "{name:28} {cost:6.2} us of the sender, {cpu:5.2} of the sleeper, \
             wakes after {middle:5.1} us (10 %: {low:.1}, 90 %: {high:.1})"
        );
    }
}
