//! Signals are asked for on any worker, and reach it. The handlers are the process's, so there is one test, which does
//! one thing after the other.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use unboxed::rt::{Config, Mode, RuntimeCell};
use unboxed::signal::{ctrl_c, shutdown, terminate};
use unboxed::task;
use unboxed::time::sleep;
use unboxed_tests::poll_once;

static CELL: RuntimeCell<16, 2> = RuntimeCell::new();
static ASKED: AtomicBool = AtomicBool::new(false);

fn send(signal: i32) {
    // SAFETY: to this process.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0);
}

/// Until every thread that could take a signal has had the time to.
async fn taken() {
    sleep(Duration::from_millis(50)).await.unwrap();
}

#[task(pool = 1)]
async fn asks() -> (bool, i32) {
    let mut signals = terminate().unwrap();
    ASKED.store(true, Ordering::Release);
    let signal = signals.recv().await.unwrap();
    (std::thread::current().name() == Some("unboxed-1"), signal)
}

#[test]
fn signals_reach_who_asks_and_end_nothing() {
    // SAFETY: a number: what does not come is waited for this long.
    unsafe { libc::alarm(60) };
    let mut runtime = CELL.start(Config::new().workers(2).mode(Mode::PerCore)).expect("a runtime");
    let second = runtime.remote().worker(1).unwrap();
    runtime.block_on(async {
        let waits = asks::spawn_on(&second).unwrap();
        while !ASKED.load(Ordering::Acquire) {
            sleep(Duration::from_millis(1)).await.unwrap();
        }
        taken().await;
        send(libc::SIGTERM);
        assert_eq!(waits.await, Ok((true, libc::SIGTERM)), "on worker 1");
    });
    runtime.block_on(one_of_two_receives_it());
    runtime.block_on(both_of_a_set_are_received());
    runtime.block_on(one_that_comes_while_nobody_asks_is_kept());
    let report = runtime.close(Duration::from_secs(5));
    assert_eq!((report.detached, report.stuck), (0, 0));
}

async fn one_of_two_receives_it() {
    let (mut one, mut other) = (ctrl_c().unwrap(), shutdown().unwrap());
    let (mut one, mut other) = (pin!(one.recv()), pin!(other.recv()));
    assert!(poll_once(&mut one).await.is_pending() && poll_once(&mut other).await.is_pending());
    send(libc::SIGINT);
    taken().await;
    let received = [poll_once(&mut one).await.is_ready(), poll_once(&mut other).await.is_ready()];
    assert_eq!(received.into_iter().filter(|&received| received).count(), 1);
    send(libc::SIGINT);
    assert_eq!(
        if received[0] { other.await } else { one.await },
        Ok(libc::SIGINT),
        "the next is the other's"
    );
}

async fn both_of_a_set_are_received() {
    let (mut first, mut second) = (shutdown().unwrap(), shutdown().unwrap());
    let mut waits = pin!(second.recv());
    assert!(poll_once(&mut waits).await.is_pending());
    send(libc::SIGTERM);
    send(libc::SIGINT);
    taken().await;
    // The one that takes the first leaves the other signal, and the ring, to the one that waits.
    assert_eq!(first.recv().await, Ok(libc::SIGINT));
    assert_eq!(waits.await, Ok(libc::SIGTERM));
}

async fn one_that_comes_while_nobody_asks_is_kept() {
    drop(terminate().unwrap());
    send(libc::SIGTERM);
    taken().await;
    assert_eq!(terminate().unwrap().recv().await, Ok(libc::SIGTERM));
}
