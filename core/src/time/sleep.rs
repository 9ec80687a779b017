//! Waiting for a moment.

use crate::exec::current;
use crate::op::{Error, OpHandle, Operation};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// A moment of the loop's monotonic clock, in nanoseconds from an origin of the loop's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    /// Nanoseconds.
    pub ns: u64,
}

impl Instant {
    /// The current worker's clock.
    ///
    /// # Errors
    /// [`Error::NoTask`] outside a runtime.
    pub fn now() -> Result<Self, Error> {
        let worker = current::get().ok_or(Error::NoTask)?;
        let event_loop = worker.event_loop.get().ok_or(Error::Closed)?;
        Ok(Self { ns: event_loop.now() })
    }

    /// So much later; the end of time at most.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self { ns: self.ns.saturating_add(ns) }
    }

    /// How long after `earlier`; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.ns.saturating_sub(earlier.ns))
    }
}

#[derive(Debug, Clone, Copy)]
enum Until {
    After(Duration),
    At(Instant),
}

/// Ends after a time that begins with the first poll. It uses one op slot of its task.
///
/// # Errors
/// [`Error::Cancelled`] by [`Operation::cancel`], and those of any operation.
///
/// # Cancel safety
/// Dropping it removes the timer at once.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { handle: OpHandle::new(), until: Until::After(duration), begun: false }
}

/// Ends at a moment, or at once if that has passed. See [`sleep`].
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { handle: OpHandle::new(), until: Until::At(deadline), begun: false }
}

/// See [`sleep`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    handle: OpHandle,
    until: Until,
    begun: bool,
}

impl Future for Sleep {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.begun {
            let now = Instant::now()?;
            let at = match self.until {
                Until::After(duration) => now.after(duration),
                Until::At(at) if at <= now => return Poll::Ready(Ok(())),
                Until::At(at) => at,
            };
            self.handle.begin_timer(cx, at.ns)?;
            self.begun = true;
            return Poll::Pending;
        }
        let outcome = core::task::ready!(self.handle.poll_end(cx))?;
        Poll::Ready(Error::check(outcome.result).map(|_| ()))
    }
}

impl Operation for Sleep {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.handle.cancel(cx);
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        *output == Err(Error::Cancelled)
    }
}
