//! Ticks at a fixed period.

use super::sleep::{Instant, Sleep, sleep_until};
use crate::op::Error;
use core::future::poll_fn;
use core::pin::Pin;
use core::time::Duration;

/// What happens when ticks were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTicks {
    /// They come at once, one after the other, until the schedule is caught up.
    #[default]
    Burst,
    /// They are left out; the schedule stays.
    Skip,
    /// The schedule begins anew with the late tick.
    Delay,
}

/// Ticks every `period`, first after one period.
///
/// # Panics
/// When `period` is zero.
pub fn interval(period: Duration, missed: MissedTicks) -> Interval {
    assert!(!period.is_zero(), "unboxed: an interval needs a period");
    Interval { period, missed, next: None, sleep: None }
}

/// See [`interval`].
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    missed: MissedTicks,
    next: Option<Instant>,
    sleep: Option<Sleep>,
}

impl Interval {
    /// The next tick: the moment for which it was meant.
    ///
    /// # Errors
    /// Those of a timer.
    ///
    /// # Cancel safety
    /// Dropping the future loses no tick.
    pub async fn tick(&mut self) -> Result<Instant, Error> {
        let due = match self.next {
            Some(due) => due,
            None => *self.next.insert(Instant::now()?.after(self.period)),
        };
        let sleep = self.sleep.get_or_insert_with(|| sleep_until(due));
        let slept = poll_fn(|cx| core::future::Future::poll(Pin::new(&mut *sleep), cx)).await;
        self.sleep = None;
        slept?;
        self.next = Some(self.after(due, Instant::now()?));
        Ok(due)
    }

    fn after(&self, due: Instant, now: Instant) -> Instant {
        match self.missed {
            MissedTicks::Burst => due.after(self.period),
            MissedTicks::Delay => now.after(self.period),
            MissedTicks::Skip => {
                let period = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
                let missed = now.since(due).as_nanos() as u64 / period;
                Instant { ns: due.ns.saturating_add(period.saturating_mul(missed + 1)) }
            }
        }
    }
}
