//! The programs on tokio.

use super::gate::{self, GATE, SLEEPERS, block_on_each, count_down, poll_sleeper, timed};
use super::{busy, load};
use std::future::poll_fn;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, yield_now};

const MANY: usize = 10_000;
const PINGS: usize = 1_000;

pub struct Host {
    runtime: Runtime,
    workers: usize,
}

impl Host {
    pub fn start(workers: usize) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build();
        Self { runtime: runtime.expect("a runtime"), workers }
    }
}

pub fn spawn_local(host: &Host) -> Duration {
    timed(MANY, || {
        host.runtime.spawn(async {
            for _ in 0..MANY {
                tokio::spawn(async { count_down() });
            }
        });
    })
}

fn spawn_and_join(host: &Host, count: usize) -> Duration {
    let mut handles = Vec::with_capacity(count);
    let begin = Instant::now();
    handles.extend((0..count).map(|_| host.runtime.spawn(async {})));
    block_on_each(handles.into_iter());
    begin.elapsed()
}

pub fn spawn_remote(host: &Host) -> Duration {
    spawn_and_join(host, MANY)
}

pub fn spawn_busy_yields(host: &Host) -> Duration {
    let start = || {
        host.runtime.spawn(async {
            while busy::go_on() {
                yield_now().await;
                busy::stall();
            }
            busy::ended();
        });
    };
    busy::beside(2 * host.workers, start, || spawn_and_join(host, MANY))
}

pub fn spawn_busy_spawns(host: &Host) -> Duration {
    fn again() {
        tokio::spawn(async {
            if busy::go_on() {
                busy::stall();
                again();
            } else {
                busy::ended();
            }
        });
    }
    let start = || {
        host.runtime.spawn(async { again() });
    };
    busy::beside(host.workers, start, || spawn_and_join(host, 1_000))
}

pub fn yield_many(host: &Host) -> Duration {
    timed(200, || {
        for _ in 0..200 {
            host.runtime.spawn(async {
                for _ in 0..1_000 {
                    yield_now().await;
                }
                count_down();
            });
        }
    })
}

async fn ping() {
    let (sender, ping) = oneshot::channel();
    let (answer, pong) = oneshot::channel();
    tokio::spawn(async move {
        ping.await.expect("a ping");
        answer.send(()).expect("the other waits");
    });
    sender.send(()).expect("the other waits");
    pong.await.expect("a pong");
    count_down();
}

pub fn ping_pong(host: &Host) -> Duration {
    timed(PINGS, || {
        host.runtime.spawn(async {
            for _ in 0..PINGS {
                tokio::spawn(ping());
            }
        });
    })
}

fn chained(left: usize) {
    match left {
        0 => GATE.open(),
        left => drop(tokio::spawn(async move { chained(left - 1) })),
    }
}

pub fn chained_spawn(host: &Host) -> Duration {
    timed(0, || {
        host.runtime.spawn(async { chained(1_000) });
    })
}

fn with_sleepers(host: &Host, count: usize, run: impl FnOnce(&[std::task::Waker]) -> Duration) -> Duration {
    gate::POLLED.store(0, std::sync::atomic::Ordering::Relaxed);
    let sleeper = || {
        host.runtime.spawn(async {
            let mut registered = false;
            poll_fn(|cx| poll_sleeper(&mut registered, cx)).await;
        })
    };
    let handles: Vec<_> = (0..count).map(|_| sleeper()).collect();
    let took = run(&gate::sleepers(count));
    let aborts: Vec<AbortHandle> = handles.iter().map(|handle| handle.abort_handle()).collect();
    aborts.iter().for_each(AbortHandle::abort);
    block_on_each(handles.into_iter());
    took
}

pub fn wake_busy(host: &Host) -> Duration {
    with_sleepers(host, SLEEPERS, |wakers| {
        let start = || {
            host.runtime.spawn(async {
                while busy::go_on() {
                    yield_now().await;
                }
                busy::ended();
            });
        };
        busy::beside(host.workers, start, || gate::wake_all(wakers))
    })
}

pub fn wake_asleep(host: &Host) -> Duration {
    with_sleepers(host, 1, |wakers| gate::wake_asleep(&wakers[0]))
}

/// One request.
pub fn offer(host: &Host, one: load::Request) {
    host.runtime.spawn(async move { one.serve() });
}
