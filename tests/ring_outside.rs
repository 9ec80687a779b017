//! A runtime inside a plain loop over poll(2): nothing is lost while that loop sleeps, and it does sleep.

use std::io::{Read, Write};
use std::net::{TcpListener as StdListener, TcpStream as StdStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use unboxed::channel::Channel;
use unboxed::exec::Budget;
use unboxed::net::{TcpListener, TcpStream};
use unboxed::op::nop;
use unboxed::ring::Rung;
use unboxed::rt::{Config, Pollable, Rest, RuntimeCell};
use unboxed::sync::Notify;
use unboxed::task;
use unboxed::task::{Bytes, JoinHandle};
use unboxed::time::sleep;

macro_rules! runtime {
    ($config:expr) => {{
        static CELL: RuntimeCell<64, 2> = RuntimeCell::new();
        CELL.start_pollable($config).expect("a runtime")
    }};
}

const RUNGS: [Rung; 2] = [Rung::Cooperative, Rung::Plain];

/// One poll(2) of the runtime's descriptor: whether it was readable.
fn poll_once(runtime: &Pollable, timeout_ms: i32) -> bool {
    let mut entry = libc::pollfd { fd: runtime.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one live entry of the layout that the call takes.
    let ready = unsafe { libc::poll(&raw mut entry, 1, timeout_ms) };
    // Without a flag of its own the kernel may interrupt a wait to run its work.
    ready == 1 || (ready < 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted)
}

/// What the loop outside did.
#[derive(Debug, Default)]
struct Outer {
    turns: u32,
    sleeps: u32,
    readable: u32,
    timeouts: u32,
}

impl Outer {
    /// The loop outside, until `done`; whoever sleeps for ever, here for ten seconds, has lost something.
    fn run(&mut self, runtime: &mut Pollable, mut done: impl FnMut() -> bool) {
        loop {
            self.turns += 1;
            assert!(self.turns < 1_000_000, "it never sleeps");
            let more = runtime.turn(Budget::POLL).more;
            if done() {
                return;
            }
            if more {
                continue;
            }
            match runtime.prepare_to_sleep() {
                Rest::No => {}
                rest => {
                    self.sleeps += 1;
                    let timeout = rest.timeout_ms();
                    match poll_once(runtime, if timeout < 0 { 10_000 } else { timeout }) {
                        true => self.readable += 1,
                        false if timeout < 0 => panic!("slept for ever: {self:?}"),
                        false => self.timeouts += 1,
                    }
                }
            }
        }
    }
}

fn run<T: Send + 'static>(outer: &mut Outer, runtime: &mut Pollable, task: JoinHandle<T>) -> T {
    outer.run(runtime, || task.is_finished());
    runtime.block_on(task).expect("an output")
}

static RUNG_TEST: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[task(pool = 3)]
async fn receives(channel: &'static Channel<u32, 4, unboxed::sync::Threads>, count: u32) -> u32 {
    let mut sum = 0;
    for _ in 0..count {
        sum += channel.recv().await.expect("open");
    }
    sum
}

#[test]
fn a_wake_from_a_plain_thread_ends_the_sleep_outside() {
    static CHANNEL: Channel<u32, 4, unboxed::sync::Threads> = Channel::with_domain();
    let _one = RUNG_TEST.lock();
    for rung in RUNGS {
        let mut runtime = runtime!(Config::new().rung(rung));
        let task = runtime.enter(|| receives::spawn(&CHANNEL, 40)).expect("a block");
        let thread = thread::spawn(|| {
            for i in 0..40 {
                thread::sleep(Duration::from_millis(if i % 4 == 0 { 2 } else { 0 }));
                while CHANNEL.try_send(1).is_err() {
                    thread::yield_now();
                }
            }
        });
        let mut outer = Outer::default();
        assert_eq!(run(&mut outer, &mut runtime, task), 40);
        assert!(outer.readable >= 5, "{rung:?}: {outer:?}");
        assert!(outer.turns < 600, "{rung:?}: a busy loop: {outer:?}");
        thread.join().expect("no panic");
        runtime.into_inner().close(Duration::from_secs(5));
    }
}

#[task(pool = 3)]
async fn sleeps(times: u32) {
    for _ in 0..times {
        sleep(Duration::from_millis(5)).await.expect("a timer");
    }
}

#[test]
fn a_timer_is_the_outer_loops_timeout() {
    let _one = RUNG_TEST.lock();
    for rung in RUNGS {
        let mut runtime = runtime!(Config::new().rung(rung));
        assert_eq!(runtime.next_deadline(), None);
        let begun = Instant::now();
        let task = runtime.enter(|| sleeps::spawn(10)).expect("a block");
        runtime.turn(Budget::POLL);
        let next = runtime.next_deadline().expect("a timer");
        assert!(next <= begun + Duration::from_secs(1) && next + Duration::from_secs(1) >= begun);
        let mut outer = Outer::default();
        run(&mut outer, &mut runtime, task);
        assert!(begun.elapsed() >= Duration::from_millis(50));
        assert!(outer.timeouts >= 5, "{rung:?}: {outer:?}");
        assert!(outer.turns < 200, "{rung:?}: a busy loop: {outer:?}");
        runtime.into_inner().close(Duration::from_secs(5));
    }
}

#[task(pool = 3, ops = 2, bytes = 64)]
async fn echoes(mut listener: TcpListener, mut bytes: Bytes<'_>) -> u32 {
    let mut stream: TcpStream = listener.accept().await.expect("a connection");
    let mut rounds = 0;
    loop {
        let len = stream.read(&mut bytes).await.expect("bytes");
        if len == 0 {
            return rounds;
        }
        stream.write_all(&mut bytes).first(len).await.expect("written");
        rounds += 1;
    }
}

#[test]
fn a_completion_ends_the_sleep_outside() {
    let _one = RUNG_TEST.lock();
    for rung in RUNGS {
        let mut runtime = runtime!(Config::new().rung(rung));
        let (task, address) = runtime.enter(|| {
            let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).expect("bound");
            let address = listener.local_addr().expect("an address");
            (echoes::spawn(listener).expect("a block"), address)
        });
        let client = thread::spawn(move || {
            let mut stream = StdStream::connect(address).expect("connected");
            for round in 0..50u8 {
                if round % 10 == 0 {
                    thread::sleep(Duration::from_millis(3));
                }
                let mut back = [0; 3];
                stream.write_all(&[round; 3]).expect("written");
                stream.read_exact(&mut back).expect("read");
                assert_eq!(back, [round; 3]);
            }
        });
        let mut outer = Outer::default();
        assert_eq!(run(&mut outer, &mut runtime, task), 50);
        client.join().expect("no panic");
        assert!(outer.readable >= 5, "{rung:?}: {outer:?}");
        assert!(outer.turns < 1000, "{rung:?}: a busy loop: {outer:?}");
        runtime.into_inner().close(Duration::from_secs(5));
    }
}

#[test]
fn an_idle_runtime_lets_the_outer_loop_sleep() {
    let _one = RUNG_TEST.lock();
    for rung in RUNGS {
        let mut runtime = runtime!(Config::new().rung(rung));
        let mut tries = 0;
        while runtime.prepare_to_sleep() == Rest::No {
            runtime.turn(Budget::POLL);
            tries += 1;
            assert!(tries < 10, "{rung:?}: nothing is there, and it does not sleep");
        }
        assert!(!poll_once(&runtime, 30), "{rung:?}: readable for nothing");
        // Asked again without a turn: the same answer, and a later ring is still heard.
        assert_eq!(runtime.prepare_to_sleep(), Rest::Forever);
        assert!(!poll_once(&runtime, 30), "{rung:?}: readable for nothing");
        runtime.into_inner().close(Duration::from_secs(5));
    }
}

static GO: Notify = Notify::new();

#[task(pool = 2)]
async fn waits_for_go() -> u32 {
    GO.notified().await;
    7
}

/// Everything that this thread itself may do between the announcement and the poll.
#[test]
fn work_of_the_own_thread_ends_an_announced_sleep() {
    let mut runtime = runtime!(Config::new());
    let waiting = runtime.enter(waits_for_go::spawn).expect("a block");
    settle(&mut runtime);
    // A wake from the thread itself, outside of any turn.
    GO.notify_one();
    assert!(poll_once(&runtime, 5_000), "a wake was lost");
    let mut outer = Outer::default();
    assert_eq!(run(&mut outer, &mut runtime, waiting), 7);
    settle(&mut runtime);
    let task = runtime.enter(|| sleeps::spawn(0)).expect("a block");
    assert!(poll_once(&runtime, 5_000), "a spawn was lost");
    run(&mut outer, &mut runtime, task);
    settle(&mut runtime);
    // A blocking call ends the announced sleep too, and so does a close.
    runtime.block_on(async { sleep(Duration::from_millis(1)).await }).expect("a timer");
    settle(&mut runtime);
    let report = runtime.into_inner().close(Duration::from_secs(5));
    assert_eq!(report.detached, 0);
}

/// Turns until the runtime has announced a sleep without a deadline.
fn settle(runtime: &mut Pollable) {
    for _ in 0..100 {
        if runtime.prepare_to_sleep() == Rest::Forever {
            return;
        }
        runtime.turn(Budget::POLL);
    }
    panic!("it does not come to rest");
}

#[test]
fn a_spawn_from_another_thread_ends_the_sleep_outside() {
    let mut runtime = runtime!(Config::new());
    let remote = runtime.remote();
    let _one = RUNG_TEST.lock();
    for _ in 0..20 {
        let remote_spawned = Arc::new(AtomicBool::new(false));
        let spawned = remote_spawned.clone();
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(1));
            // Before the spawn, whose doorbell is the only thing that ends the sleep outside.
            spawned.store(true, Ordering::Release);
            sleeps::spawn_on(&remote, 1).expect("a block")
        });
        let mut outer = Outer::default();
        let mut thread = Some(thread);
        let mut task = None;
        outer.run(&mut runtime, || {
            // The spawn is what wakes the loop; its handle comes a moment later.
            if remote_spawned.load(Ordering::Acquire) && task.is_none() {
                task = thread.take().map(|thread| thread.join().expect("no panic"));
            }
            task.as_ref().is_some_and(JoinHandle::is_finished)
        });
        assert!(outer.turns < 100, "a busy loop: {outer:?}");
    }
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(5));
        remote.request_close();
    });
    let mut turns = 0;
    while !runtime.is_closing() {
        runtime.turn(Budget::POLL);
        if runtime.prepare_to_sleep() != Rest::No {
            assert!(poll_once(&runtime, 10_000) || runtime.is_closing(), "the close was not heard");
        }
        turns += 1;
    }
    assert!(turns < 50);
    thread.join().expect("no panic");
}

#[task(pool = 64)]
async fn counts(counter: &'static AtomicU32) {
    for _ in 0..20 {
        unboxed::yield_now().await;
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Worker 1 sleeps on its own thread, worker 0 in the loop outside: whoever is called comes.
#[test]
fn two_workers_of_which_one_is_turned_outside() {
    static DONE: AtomicU32 = AtomicU32::new(0);
    let mut runtime = runtime!(Config::new().workers(2));
    let remote = runtime.remote();
    let thread = thread::spawn(move || {
        for _ in 0..300 {
            while counts::spawn_on(&remote, &DONE).is_err() {
                thread::yield_now();
            }
            thread::sleep(Duration::from_micros(200));
        }
    });
    let mut outer = Outer::default();
    let begun = Instant::now();
    while DONE.load(Ordering::Relaxed) < 6000 {
        assert!(begun.elapsed() < Duration::from_secs(20), "stuck at {DONE:?}");
        runtime.turn(Budget::POLL);
        outer.turns += 1;
        let rest = runtime.prepare_to_sleep();
        // Worker 1 may take the rest, so the sleep has an end here.
        if rest != Rest::No && poll_once(&runtime, 50) {
            outer.readable += 1;
        }
    }
    thread.join().expect("no panic");
    assert!(outer.readable > 0, "worker 0 was never called: {outer:?}");
    let report = runtime.into_inner().close(Duration::from_secs(5));
    assert_eq!((report.detached, report.stuck), (0, 0));
}

#[task(pool = 32, ops = 1)]
async fn one_nop() {
    nop().await.expect("a no-op");
}

#[test]
fn a_turn_takes_no_more_completions_than_its_budget() {
    let mut runtime = runtime!(Config::new());
    let tasks: Vec<_> = runtime.enter(|| (0..32).map(|_| one_nop::spawn().expect("a block")).collect());
    let mut taken = 0;
    let mut turns = 0;
    while taken < 32 {
        let turned = runtime.turn(Budget { completions: 5, ..Budget::POLL });
        assert!(turned.completions <= 5, "{turned:?}");
        taken += turned.completions;
        turns += 1;
        assert!(turns < 100);
        if taken > 0 && taken < 32 {
            assert_eq!(runtime.prepare_to_sleep(), Rest::No, "some are left");
        }
    }
    assert!(turns >= 7);
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("an end");
        }
    });
}

/// A classic non-blocking socket beside the runtime, in one poll.
#[test]
fn other_descriptors_are_served_in_the_same_poll() {
    let mut runtime = runtime!(Config::new());
    let listener = StdListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address");
    let task = runtime.enter(|| sleeps::spawn(5)).expect("a block");
    let client = thread::spawn(move || {
        thread::sleep(Duration::from_millis(2));
        StdStream::connect(address).expect("connected")
    });
    let (mut accepted, mut turns) = (None, 0);
    loop {
        turns += 1;
        assert!(turns < 1000);
        runtime.turn(Budget::POLL);
        if accepted.is_some() && task.is_finished() {
            break;
        }
        let rest = runtime.prepare_to_sleep();
        let mut entries = [
            libc::pollfd { fd: runtime.as_raw_fd(), events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 },
        ];
        // SAFETY: two live entries.
        unsafe { libc::poll(entries.as_mut_ptr(), 2, rest.timeout_ms()) };
        if entries[1].revents != 0 {
            accepted = Some(listener.accept().expect("a connection"));
        }
    }
    client.join().expect("no panic");
}
