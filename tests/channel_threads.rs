//! Plain threads and tasks at the same channels, on the real runtime.

use std::pin::pin;
use std::thread;
use std::time::Duration;
use unboxed::channel::{Channel, Oneshot, RecvError, SendError, Watch};
use unboxed::op::Operation;
use unboxed::rt::{Config, RuntimeCell};
use unboxed::sync::{Blocking, Threads, TimedOut};
use unboxed_tests::{Rng, for_seeds};

const TASKS: u64 = 100;
const THREADS: u64 = 10;
const EACH: u64 = 50;

static VALUES: Channel<u64, 3, Threads> = Channel::with_domain();

#[unboxed::task(pool = 50, ops = 0)]
async fn sends(from: u64) {
    for value in from..from + EACH {
        VALUES.send(value).await.expect("open");
    }
}

#[unboxed::task(pool = 50, ops = 0)]
async fn receives() -> Vec<u64> {
    let mut got = Vec::new();
    while let Ok(value) = VALUES.recv().await {
        got.push(value);
    }
    got
}

/// Half of each send and half receive; every value arrives once.
#[test]
fn ten_threads_and_a_hundred_tasks() {
    static CELL: RuntimeCell = RuntimeCell::new();
    let Ok(mut runtime) = CELL.start(Config::new()) else { return println!("skipped: no ring") };
    let half = TASKS / 2;
    let sending: Vec<_> = (0..THREADS / 2)
        .map(|index| {
            let from = (half + index) * EACH;
            thread::spawn(move || {
                (from..from + EACH).for_each(|value| VALUES.send(value).blocking().expect("open"));
            })
        })
        .collect();
    let receiving: Vec<_> = (0..THREADS / 2)
        .map(|_| thread::spawn(|| std::iter::from_fn(|| VALUES.recv().blocking().ok()).collect::<Vec<_>>()))
        .collect();
    let closer = thread::spawn(|| {
        sending.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
    let mut all = runtime.block_on(async {
        let receivers: Vec<_> = (0..half).map(|_| receives::spawn().expect("a block")).collect();
        let senders: Vec<_> = (0..half).map(|index| sends::spawn(index * EACH).expect("a block")).collect();
        for sender in senders {
            sender.await.expect("no panic");
        }
        while !closer.is_finished() {
            unboxed::yield_now().await;
        }
        VALUES.close();
        let mut all = Vec::new();
        for receiver in receivers {
            all.extend(receiver.await.expect("no panic"));
        }
        all
    });
    all.extend(receiving.into_iter().flat_map(|thread| thread.join().expect("no panic")));
    all.sort_unstable();
    assert!(all.into_iter().eq(0..(half + THREADS / 2) * EACH));
}

/// A thread that gives up in time loses no value: not its own, nor one that it was just served.
#[test]
fn time_limits_lose_nothing() {
    for_seeds(3, |seed| {
        let channel: Channel<u64, 1, Threads> = Channel::with_domain();
        let (sent, received) = thread::scope(|scope| {
            let senders: Vec<_> = (0..2)
                .map(|index| {
                    let channel = &channel;
                    scope.spawn(move || {
                        let mut rng = Rng::new(seed * 4 + index);
                        (0..500).filter(|_| sends_in_time(channel, &mut rng)).count()
                    })
                })
                .collect();
            let receivers: Vec<_> = (2..4)
                .map(|index| {
                    let channel = &channel;
                    scope.spawn(move || {
                        let (mut rng, mut count) = (Rng::new(seed * 4 + index), 0);
                        loop {
                            let soon = Duration::from_micros(rng.below(60));
                            match channel.recv().blocking_for(soon) {
                                Ok(Ok(_)) => count += 1,
                                Ok(Err(_)) => return count,
                                Err(TimedOut) => {}
                            }
                        }
                    })
                })
                .collect();
            let sent: usize = senders.into_iter().map(|thread| thread.join().expect("no panic")).sum();
            channel.close();
            (sent, receivers.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>())
        });
        assert_eq!(sent, received);
    });
}

/// True when it was sent; else the value has come back.
fn sends_in_time(channel: &Channel<u64, 1, Threads>, rng: &mut Rng) -> bool {
    let mut sending = pin!(channel.send(7));
    let soon = Duration::from_micros(rng.below(60));
    if let Ok(sent) = sending.as_mut().blocking_for(soon) {
        return sent.is_ok();
    }
    sending.as_mut().request_cancel(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    match sending.blocking() {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error, SendError::Cancelled(7));
            false
        }
    }
}

#[test]
fn a_thread_waits_for_an_answer_and_for_changes() {
    static ANSWER: Oneshot<u32, Threads> = Oneshot::with_domain();
    static LEVEL: Watch<u32, Threads> = Watch::with_domain(0);
    let mut watcher = LEVEL.watcher();
    let mut receiver = ANSWER.receiver().expect("free");
    assert_eq!(receiver.recv().blocking_for(Duration::from_millis(1)), Err(TimedOut));
    let other = thread::spawn(|| {
        ANSWER.sender().expect("free").send(5).expect("the receiver is there");
        LEVEL.send(9).expect("open");
        LEVEL.close();
    });
    assert_eq!(receiver.recv().blocking(), Ok(5));
    assert_eq!(watcher.changed().blocking(), Ok(()));
    assert_eq!(watcher.read(|level| *level), 9);
    assert_eq!(watcher.changed().blocking(), Err(RecvError::Closed));
    other.join().expect("no panic");
}
