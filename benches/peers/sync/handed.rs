//! Two tasks that take turns: each holds it until the other waits, gives it back, and lets the other run, so that
//! fair locks and those that may be overtaken do the same work.

use embassy_sync::blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex};
use embassy_sync::semaphore::Semaphore as _;
use unboxed::sync::Local;
use unboxed::yield_now;
use unboxed_peers::{Row, TIMES, leak};

pub fn rows() -> Vec<Row> {
    vec![switches(), local_mutex(), mutex(), local_semaphore(), semaphore(), notify()]
}

/// Two tasks that take turns at what `$ask` waits for, each half of the times.
macro_rules! turns {
    ($primitive:expr, $ask:expr) => {
        turns!($primitive, $ask, yield_now)
    };
    ($primitive:expr, $ask:expr, $yield_now:path) => {{
        let primitive = leak($primitive);
        move || {
            [(); 2].map(|()| {
                Box::pin(async move {
                    for _ in 0..TIMES / 2 {
                        let held = $ask(primitive).await;
                        $yield_now().await;
                        drop(held);
                        $yield_now().await;
                    }
                }) as _
            })
        }
    }};
}

/// What is below every row of two tasks: that each runs once.
fn switches() -> Row {
    macro_rules! yields {
        ($yield_now:path) => {
            || {
                [(); 2].map(|()| {
                    Box::pin(async {
                        for _ in 0..TIMES {
                            $yield_now().await;
                        }
                    }) as _
                })
            }
        };
    }
    Row::new("two tasks that only yield, once each")
        .two("unboxed", yields!(yield_now))
        .two_on_tokio("tokio on tokio", yields!(tokio::task::yield_now))
}

fn local_mutex() -> Row {
    type Ours = unboxed::sync::Mutex<u32, Local>;
    type Embassy = embassy_sync::mutex::Mutex<NoopRawMutex, u32>;
    type Intrusive = futures_intrusive::sync::LocalMutex<u32>;
    Row::new("mutex of one thread, handed over between two tasks")
        .two("unboxed, Local", turns!(Ours::with_domain(0), Ours::lock))
        .two("embassy-sync, NoopRawMutex", turns!(Embassy::new(0), Embassy::lock))
        .two("futures-intrusive, LocalMutex", turns!(Intrusive::new(0, true), Intrusive::lock))
}

fn mutex() -> Row {
    type Ours = unboxed::sync::Mutex<u32>;
    type Tokio = tokio::sync::Mutex<u32>;
    type AsyncLock = async_lock::Mutex<u32>;
    type Embassy = embassy_sync::mutex::Mutex<CriticalSectionRawMutex, u32>;
    type Intrusive = futures_intrusive::sync::Mutex<u32>;
    Row::new("mutex, handed over between two tasks")
        .two("unboxed", turns!(Ours::new(0), Ours::lock))
        .two("tokio", turns!(Tokio::new(0), Tokio::lock))
        .two_on_tokio("tokio on tokio", turns!(Tokio::new(0), Tokio::lock, tokio::task::yield_now))
        .two("async-lock", turns!(AsyncLock::new(0), AsyncLock::lock))
        .two("embassy-sync, critical section", turns!(Embassy::new(0), Embassy::lock))
        .two("futures-intrusive", turns!(Intrusive::new(0, true), Intrusive::lock))
}

fn semaphore() -> Row {
    type Ours = unboxed::sync::Semaphore;
    type Tokio = tokio::sync::Semaphore;
    type AsyncLock = async_lock::Semaphore;
    type Embassy = embassy_sync::semaphore::FairSemaphore<CriticalSectionRawMutex, 2>;
    type Intrusive = futures_intrusive::sync::Semaphore;
    Row::new("semaphore of one permit, handed over between two tasks")
        .two("unboxed", turns!(Ours::new(1), |limit: &'static Ours| limit.acquire(1)))
        .two("tokio", turns!(Tokio::new(1), Tokio::acquire))
        .two_on_tokio("tokio on tokio", turns!(Tokio::new(1), Tokio::acquire, tokio::task::yield_now))
        .two("async-lock", turns!(AsyncLock::new(1), AsyncLock::acquire))
        .two(
            "embassy-sync, critical section",
            turns!(Embassy::new(1), |limit: &'static Embassy| limit.acquire(1)),
        )
        .two(
            "futures-intrusive",
            turns!(Intrusive::new(true, 1), |limit: &'static Intrusive| limit.acquire(1)),
        )
}

fn local_semaphore() -> Row {
    type Ours = unboxed::sync::Semaphore<Local>;
    type Embassy = embassy_sync::semaphore::FairSemaphore<NoopRawMutex, 2>;
    type Intrusive = futures_intrusive::sync::LocalSemaphore;
    type LocalSync = local_sync::semaphore::Semaphore;
    Row::new("semaphore of one permit and one thread, handed over between two tasks")
        .two("unboxed, Local", turns!(Ours::with_domain(1), |limit: &'static Ours| limit.acquire(1)))
        .two(
            "embassy-sync, NoopRawMutex",
            turns!(Embassy::new(1), |limit: &'static Embassy| limit.acquire(1)),
        )
        .two(
            "futures-intrusive, LocalSemaphore",
            turns!(Intrusive::new(true, 1), |limit: &'static Intrusive| limit.acquire(1)),
        )
        .two("local-sync", turns!(LocalSync::new(1), LocalSync::acquire))
}

/// One tells the other and waits for the answer.
macro_rules! there_and_back {
    ($new:expr, $tell:expr, $wait:expr) => {{
        let (ping, pong) = (leak($new), leak($new));
        move || {
            [
                Box::pin(async move {
                    for _ in 0..TIMES {
                        $tell(ping);
                        $wait(pong).await;
                    }
                }) as _,
                Box::pin(async move {
                    for _ in 0..TIMES {
                        $wait(ping).await;
                        $tell(pong);
                    }
                }) as _,
            ]
        }
    }};
}

fn notify() -> Row {
    type Ours = unboxed::sync::Notify;
    type Tokio = tokio::sync::Notify;
    type Embassy = embassy_sync::signal::Signal<CriticalSectionRawMutex, ()>;
    type Intrusive = futures_intrusive::sync::ManualResetEvent;
    async fn wait(event: &Intrusive) {
        event.wait().await;
        event.reset();
    }
    Row::new("notify, there and back between two tasks")
        .two("unboxed", there_and_back!(Ours::new(), Ours::notify_one, Ours::notified))
        .two("tokio", there_and_back!(Tokio::new(), Tokio::notify_one, Tokio::notified))
        .two_on_tokio("tokio on tokio", there_and_back!(Tokio::new(), Tokio::notify_one, Tokio::notified))
        .two(
            "embassy-sync, Signal",
            there_and_back!(Embassy::new(), |signal: &Embassy| signal.signal(()), Embassy::wait),
        )
        .two(
            "futures-intrusive, ManualResetEvent",
            there_and_back!(Intrusive::new(false), Intrusive::set, wait),
        )
}
