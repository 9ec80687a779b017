//! Waiting for room.

use super::bounded::Channel;
use super::error::SendError;
use super::state::{After, Cargo, Chan, SENT, senders};
use crate::sync::{Domain, Tasks, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// See [`Channel::send`].
#[must_use = "futures do nothing unless awaited"]
pub struct Sending<'a, T, const N: usize, D: Domain = Tasks> {
    channel: &'a Channel<T, N, D>,
    waiter: Waiter,
    /// CHAN-3: the list's while `waiter` is in it.
    cargo: Cargo<T>,
    cancelled: bool,
}

enum End {
    Sent,
    Closed,
    /// It has ended before.
    Spent,
}

impl<'a, T, const N: usize, D: Domain> Sending<'a, T, N, D> {
    pub(super) fn new(channel: &'a Channel<T, N, D>, value: T) -> Self {
        Self { channel, waiter: Waiter::new(), cargo: Cargo::new(Some(value)), cancelled: false }
    }

    /// Whether the value is gone; not while it waits.
    fn is_spent(&self) -> bool {
        // SAFETY: CHAN-3: not in the list, so the value is the future's own.
        self.cargo.with(|cargo| unsafe { (*cargo).is_none() })
    }

    /// The value; not while it waits.
    fn take(&self) -> Option<T> {
        // SAFETY: CHAN-3: not in the list, so the value is the future's own.
        self.cargo.with_mut(|cargo| unsafe { (*cargo).take() })
    }
}

impl<T, const N: usize, D: Domain> Future for Sending<'_, T, N, D> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        if this.cancelled && !this.waiter.is_waiting() {
            return Poll::Ready(Err(SendError::Cancelled(this.take().expect("polled after its end"))));
        }
        let mut after = After::default();
        let attempt = |chan: &mut Chan<T, N>, after: &mut After| {
            if chan.state.closed {
                return Some(End::Closed);
            }
            if chan.state.ring.is_full() {
                // One without a value must not wait: it would be served the room that others wait for.
                return this.is_spent().then_some(End::Spent);
            }
            let Some(value) = this.take() else { return Some(End::Spent) };
            chan.put(value, after);
            Some(End::Sent)
        };
        let served = |_: &mut Chan<T, N>, _: &mut After, answer| match answer {
            SENT => End::Sent,
            _ => End::Closed,
        };
        let request = core::ptr::from_ref(&this.cargo).cast();
        // SAFETY: the waiter is pinned structurally.
        let waiter = unsafe { Pin::new_unchecked(&this.waiter) };
        let guarded = &this.channel.guarded;
        let end = waiter.poll_in(guarded, senders, cx, request, &mut after, attempt, served);
        if end.is_ready() {
            this.channel.follow(after);
        }
        end.map(|end| match end {
            End::Sent => Ok(()),
            End::Closed => Err(SendError::Closed(this.take().expect("polled after its end"))),
            End::Spent => panic!("polled after its end"),
        })
    }
}

impl<T, const N: usize, D: Domain> Sending<'_, T, N, D> {
    /// Leaves the line; what it was served is still its own.
    #[cfg_attr(loom, allow(dead_code))]
    pub(super) fn withdraw(self: Pin<&mut Self>) {
        // SAFETY: nothing is moved.
        let this = unsafe { self.get_unchecked_mut() };
        this.cancelled = true;
        this.waiter.withdraw(&this.channel.guarded, senders);
    }
}

#[cfg(not(loom))]
impl<T, const N: usize, D: Domain> crate::op::Operation for Sending<'_, T, N, D> {
    fn request_cancel(self: Pin<&mut Self>, _: &mut Context<'_>) {
        self.withdraw();
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        matches!(output, Err(SendError::Cancelled(_)))
    }
}

impl<T, const N: usize, D: Domain> Drop for Sending<'_, T, N, D> {
    fn drop(&mut self) {
        self.waiter.leave_in(&self.channel.guarded, senders, |_, _| None);
    }
}

impl<T, const N: usize, D: Domain> fmt::Debug for Sending<'_, T, N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sending")
    }
}
