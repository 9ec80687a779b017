//! Taken and given back while nobody else wants it.

use embassy_sync::blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex};
use embassy_sync::semaphore::Semaphore as _;
use std::hint::black_box;
use std::pin::pin;
use unboxed::sync::Local;
use unboxed_peers::{Row, ready};

pub fn rows() -> Vec<Row> {
    vec![local_mutex(), mutex(), rwlock(), local_semaphore(), semaphore(), notify(), watch()]
}

/// Takes what `$ask` of a primitive waits for, and drops it.
macro_rules! once {
    ($primitive:expr, $ask:expr) => {{
        let primitive = $primitive;
        move || drop(ready(pin!($ask(black_box(&primitive)))))
    }};
}

/// Takes it and adds one to the value.
macro_rules! adds {
    ($mutex:expr) => {{
        let mutex = $mutex;
        move || *ready(pin!(black_box(&mutex).lock())) += 1
    }};
}

fn local_mutex() -> Row {
    Row::new("mutex of one thread, lock and unlock")
        .alone("unboxed, Local", adds!(unboxed::sync::Mutex::<u32, Local>::with_domain(0)))
        .alone("embassy-sync, NoopRawMutex", adds!(embassy_sync::mutex::Mutex::<NoopRawMutex, u32>::new(0)))
        .alone("futures-intrusive, LocalMutex", adds!(futures_intrusive::sync::LocalMutex::new(0, true)))
}

fn mutex() -> Row {
    type Embassy = embassy_sync::mutex::Mutex<CriticalSectionRawMutex, u32>;
    Row::new("mutex, lock and unlock")
        .alone("unboxed", adds!(unboxed::sync::Mutex::new(0)))
        .alone("tokio", adds!(tokio::sync::Mutex::new(0)))
        .alone("async-lock", adds!(async_lock::Mutex::new(0)))
        .alone("embassy-sync, critical section", adds!(Embassy::new(0)))
        .alone("futures-intrusive", adds!(futures_intrusive::sync::Mutex::new(0, true)))
}

fn rwlock() -> Row {
    type Embassy = embassy_sync::rwlock::RwLock<CriticalSectionRawMutex, u32>;
    Row::new("rwlock, read and release")
        .alone("unboxed", once!(unboxed::sync::RwLock::new(0), |lock| unboxed::sync::RwLock::read(lock)))
        .alone("tokio", once!(tokio::sync::RwLock::new(0), tokio::sync::RwLock::read))
        .alone("async-lock", once!(async_lock::RwLock::new(0), |lock| async_lock::RwLock::read(lock)))
        .alone("embassy-sync, critical section", once!(Embassy::new(0), Embassy::read))
}

fn local_semaphore() -> Row {
    type Ours = unboxed::sync::Semaphore<Local>;
    type Embassy = embassy_sync::semaphore::FairSemaphore<NoopRawMutex, 2>;
    type Intrusive = futures_intrusive::sync::LocalSemaphore;
    type LocalSync = local_sync::semaphore::Semaphore;
    Row::new("semaphore of one thread, acquire and release")
        .alone("unboxed, Local", once!(Ours::with_domain(1), |limit| Ours::acquire(limit, 1)))
        .alone("embassy-sync, NoopRawMutex", once!(Embassy::new(1), |limit| Embassy::acquire(limit, 1)))
        .alone(
            "futures-intrusive, LocalSemaphore",
            once!(Intrusive::new(true, 1), |limit| Intrusive::acquire(limit, 1)),
        )
        .alone("local-sync", once!(LocalSync::new(1), |limit| LocalSync::acquire(limit)))
}

fn semaphore() -> Row {
    type Ours = unboxed::sync::Semaphore;
    type Embassy = embassy_sync::semaphore::FairSemaphore<CriticalSectionRawMutex, 2>;
    type Intrusive = futures_intrusive::sync::Semaphore;
    Row::new("semaphore, acquire and release")
        .alone("unboxed", once!(Ours::new(1), |limit| Ours::acquire(limit, 1)))
        .alone("tokio", once!(tokio::sync::Semaphore::new(1), tokio::sync::Semaphore::acquire))
        .alone(
            "async-lock",
            once!(async_lock::Semaphore::new(1), |limit| async_lock::Semaphore::acquire(limit)),
        )
        .alone("embassy-sync, critical section", once!(Embassy::new(1), |limit| Embassy::acquire(limit, 1)))
        .alone("futures-intrusive", once!(Intrusive::new(true, 1), |limit| Intrusive::acquire(limit, 1)))
}

fn notify() -> Row {
    let (ours, tokio) = (unboxed::sync::Notify::new(), tokio::sync::Notify::new());
    let embassy = embassy_sync::signal::Signal::<CriticalSectionRawMutex, ()>::new();
    let intrusive = futures_intrusive::sync::ManualResetEvent::new(false);
    Row::new("notify one, and see it")
        .alone("unboxed", move || {
            black_box(&ours).notify_one();
            ready(pin!(ours.notified()));
        })
        .alone("tokio", move || {
            black_box(&tokio).notify_one();
            ready(pin!(tokio.notified()));
        })
        .alone("embassy-sync, Signal", move || {
            black_box(&embassy).signal(());
            ready(pin!(embassy.wait()));
        })
        .alone("futures-intrusive, ManualResetEvent", move || {
            black_box(&intrusive).set();
            ready(pin!(intrusive.wait()));
            intrusive.reset();
        })
}

fn watch() -> Row {
    let ours = unboxed_peers::leak(unboxed::channel::Watch::new(0u32));
    let mut watcher = ours.watcher();
    let (sender, mut receiver) = tokio::sync::watch::channel(0u32);
    let embassy =
        unboxed_peers::leak(embassy_sync::watch::Watch::<CriticalSectionRawMutex, u32, 2>::new_with(0));
    let (embassy_sender, mut embassy_receiver) = (embassy.sender(), embassy.receiver().expect("one of two"));
    Row::new("watch: send, see the change, read")
        .alone("unboxed", move || {
            black_box(ours).send(1).expect("open");
            ready(pin!(watcher.changed())).expect("open");
            black_box(watcher.read(|value| *value));
        })
        .alone("tokio", move || {
            black_box(&sender).send(1).expect("open");
            ready(pin!(receiver.changed())).expect("open");
            black_box(*receiver.borrow_and_update());
        })
        .alone("embassy-sync, critical section", move || {
            black_box(&embassy_sender).send(1);
            black_box(ready(pin!(embassy_receiver.changed())));
        })
}
