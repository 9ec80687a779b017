//! Waiting for a moment.

use crate::exec::current;
use crate::op::{Error, OpHandle, Operation, place};
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
        Self { ns: self.ns.saturating_add(nanoseconds(duration)) }
    }

    /// How long after `earlier`; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.ns.saturating_sub(earlier.ns))
    }
}

/// What `ns` of a [`Sleep`] says.
#[derive(Debug, Clone, Copy)]
enum Until {
    /// How long, from the first poll on.
    After,
    /// When.
    At,
    /// Nothing more: the timer has begun.
    Begun,
}

/// Ends after a time that begins with the first poll. It uses one op slot of its task.
///
/// # Errors
/// [`Error::Cancelled`] by [`Operation::cancel`], and those of any operation.
///
/// # Cancel safety
/// Dropping it removes the timer at once.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { handle: OpHandle::new(), until: Until::After, ns: nanoseconds(duration) }
}

/// Ends at a moment, or at once if that has passed. See [`sleep`].
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { handle: OpHandle::new(), until: Until::At, ns: deadline.ns }
}

/// See [`sleep`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    handle: OpHandle,
    until: Until,
    ns: u64,
}

/// A duration of at most 584 years.
#[inline]
fn nanoseconds(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(duration.subsec_nanos()))
}

impl Future for Sleep {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !matches!(self.until, Until::Begun) {
            return self.begin(cx);
        }
        let outcome = core::task::ready!(self.handle.poll_end(cx))?;
        Poll::Ready(Error::check(outcome.result).map(|_| ()))
    }
}

impl Sleep {
    #[inline]
    fn begin(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let place = place()?;
        // The one look at the clock: a timer counts from its first poll, not from the begin of the turn.
        let now = place.event_loop.now();
        let deadline = match self.until {
            Until::After => now.saturating_add(self.ns),
            _ if self.ns <= now => return Poll::Ready(Ok(())),
            _ => self.ns,
        };
        self.handle.begin_timer(cx, place, now, deadline)?;
        self.until = Until::Begun;
        Poll::Pending
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
