//! A plain thread waits for a primitive.

use super::Blockable;
use super::parking::{self, Deadline};
use std::fmt;
use std::pin::{Pin, pin};
use std::time::Duration;

/// Blocks a plain thread on the future of a primitive of the domain [`Threads`](super::Threads).
///
/// The thread has its place among the waiting tasks, first come, first served.
///
/// ```
/// use std::time::Duration;
/// use unboxed::sync::{Blocking, Mutex, Threads, TimedOut};
///
/// static TOTAL: Mutex<u64, Threads> = Mutex::with_domain(0);
///
/// std::thread::spawn(|| *TOTAL.lock().blocking() += 1).join().unwrap();
/// let total = TOTAL.lock().blocking();
/// assert_eq!(*total, 1);
/// assert_eq!(TOTAL.lock().blocking_for(Duration::from_millis(1)).unwrap_err(), TimedOut);
/// ```
pub trait Blocking: Blockable + Sized {
    /// Waits until it is there.
    ///
    /// # Panics
    /// On a worker thread, where every other task of it would stop, perhaps the one that is waited for. A thread
    /// that has started a runtime, and is not inside it now, may block, and its tasks stop meanwhile.
    ///
    /// ```
    /// use unboxed::sync::{Blocking, Semaphore, Threads};
    ///
    /// static DONE: Semaphore<Threads> = Semaphore::with_domain(0);
    ///
    /// let worker = std::thread::spawn(|| DONE.add_permits(1));
    /// DONE.acquire(1).blocking().unwrap().forget();
    /// # worker.join().unwrap();
    /// ```
    fn blocking(self) -> Self::Output {
        block(pin!(self), Deadline::NEVER).expect("unboxed: no deadline has passed")
    }

    /// Waits until it is there, or until `duration` has passed.
    ///
    /// # Errors
    /// [`TimedOut`]; the future's place is given up, as when it is dropped, and the value of a send is dropped with
    /// it. Blocking on a pinned borrow, `future.as_mut()`, leaves the future to the caller: it keeps its place, and
    /// a send can be cancelled to have its value back.
    ///
    /// # Panics
    /// As [`blocking`](Self::blocking).
    ///
    /// ```
    /// use std::time::Duration;
    /// use unboxed::sync::{Blocking, Notify, Threads, TimedOut};
    ///
    /// static CHANGED: Notify<Threads> = Notify::with_domain();
    ///
    /// assert_eq!(CHANGED.notified().blocking_for(Duration::from_millis(1)), Err(TimedOut));
    /// CHANGED.notify_one();
    /// assert_eq!(CHANGED.notified().blocking_for(Duration::from_secs(1)), Ok(()));
    /// ```
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::time::Duration;
    /// use unboxed::channel::Channel;
    /// use unboxed::sync::{Blocking, Threads, TimedOut};
    ///
    /// let orders: Channel<&str, 1, Threads> = Channel::with_domain();
    /// orders.send("first").blocking().unwrap();
    /// let mut second = pin!(orders.send("second"));
    /// assert_eq!(second.as_mut().blocking_for(Duration::from_millis(1)), Err(TimedOut));
    /// assert_eq!(orders.recv().blocking(), Ok("first"));
    /// assert_eq!(second.blocking(), Ok(()));
    /// ```
    fn blocking_for(self, duration: Duration) -> Result<Self::Output, TimedOut> {
        block(pin!(self), Deadline::after(duration)).ok_or(TimedOut)
    }
}

impl<F: Blockable> Blocking for F {}

/// It was not there in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl std::error::Error for TimedOut {}

fn block<F: Blockable>(future: Pin<&mut F>, deadline: Deadline) -> Option<F::Output> {
    assert!(
        !crate::rt::is_inside(),
        "unboxed: this thread runs tasks, and blocking it would stop them all: await the future instead"
    );
    parking::block(future, &deadline)
}
