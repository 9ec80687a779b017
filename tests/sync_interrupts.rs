//! The domain `Interrupts`, on the standard library's implementation of `critical-section`.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use unboxed_core::sync::{Interrupts, Mutex, Notify, Semaphore};

static COUNT: Mutex<u32, Interrupts> = Mutex::with_domain(0);
static PERMITS: Semaphore<Interrupts> = Semaphore::with_domain(0);
static PRESSED: Notify<Interrupts> = Notify::with_domain();

/// Polls until it is ready, as a task whose waker does nothing.
fn spin<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        thread::yield_now();
    }
}

#[test]
fn threads_that_play_interrupts_lose_nothing() {
    let interrupts: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                for _ in 0..1000 {
                    *spin(COUNT.lock()) += 1;
                    PERMITS.add_permits(1);
                }
                PRESSED.notify_one();
            })
        })
        .collect();
    spin(PRESSED.notified());
    spin(PERMITS.acquire(4000)).expect("open").forget();
    for interrupt in interrupts {
        interrupt.join().expect("no panic");
    }
    assert_eq!((*spin(COUNT.lock()), PERMITS.available()), (4000, 0));
}

/// Within a critical section the program may use a primitive: the lock nests.
#[test]
fn a_critical_section_may_use_them() {
    static FLAG: Notify<Interrupts> = Notify::with_domain();
    critical_section::with(|_| FLAG.notify_one());
    spin(FLAG.notified());
}
