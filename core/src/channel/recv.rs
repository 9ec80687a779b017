//! Waiting for a value.

use super::bounded::Channel;
use super::error::RecvError;
use super::state::{After, Chan, ITEM};
use crate::sync::{Domain, Inner, Left, Tasks, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// See [`Channel::recv`].
#[must_use = "futures do nothing unless awaited"]
pub struct Receiving<'a, T, const N: usize, D: Domain = Tasks> {
    channel: &'a Channel<T, N, D>,
    waiter: Waiter,
    cancelled: bool,
}

impl<'a, T, const N: usize, D: Domain> Receiving<'a, T, N, D> {
    pub(super) fn new(channel: &'a Channel<T, N, D>) -> Self {
        Self { channel, waiter: Waiter::new(), cancelled: false }
    }
}

impl<T, const N: usize, D: Domain> Future for Receiving<'_, T, N, D> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        if this.cancelled && !this.waiter.is_waiting() {
            return Poll::Ready(Err(RecvError::Cancelled));
        }
        let mut after = After::default();
        let attempt = |chan: &mut Chan<T, N>, after: &mut After| {
            if chan.has_value() {
                Some(chan.take(after).ok_or(RecvError::Closed))
            } else {
                chan.has_ended().then_some(Err(RecvError::Closed))
            }
        };
        let served = |chan: &mut Chan<T, N>, after: &mut After, answer| {
            if answer != ITEM {
                return Err(RecvError::Closed);
            }
            // CHAN-2: the value that was set aside.
            chan.state.aside -= 1;
            chan.take(after).ok_or(RecvError::Closed)
        };
        // SAFETY: the waiter is pinned structurally.
        let waiter = unsafe { Pin::new_unchecked(&this.waiter) };
        let guarded = &this.channel.guarded;
        let end = waiter.poll_in(guarded, Inner::list, cx, core::ptr::null(), &mut after, attempt, served);
        if end.is_ready() {
            this.channel.follow(after);
        }
        end
    }
}

impl<T, const N: usize, D: Domain> Receiving<'_, T, N, D> {
    /// Leaves the line; what it was served is still its own.
    #[cfg_attr(loom, allow(dead_code))]
    pub(super) fn withdraw(self: Pin<&mut Self>) {
        // SAFETY: nothing is moved.
        let this = unsafe { self.get_unchecked_mut() };
        this.cancelled = true;
        this.waiter.withdraw(&this.channel.guarded, Inner::list);
    }
}

#[cfg(not(loom))]
impl<T, const N: usize, D: Domain> crate::op::Operation for Receiving<'_, T, N, D> {
    fn request_cancel(self: Pin<&mut Self>, _: &mut Context<'_>) {
        self.withdraw();
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        matches!(output, Err(RecvError::Cancelled))
    }
}

impl<T, const N: usize, D: Domain> Drop for Receiving<'_, T, N, D> {
    fn drop(&mut self) {
        self.waiter.leave(&self.channel.guarded, |chan, left| match left {
            Left::Served(ITEM) => {
                // CHAN-2: it is nobody's again, at its old place, or the next one's.
                chan.state.aside -= 1;
                let mut next = None;
                chan.serve_receiver(&mut next);
                next
            }
            _ => None,
        });
    }
}

#[cfg(all(test, loom))]
impl<T, const N: usize, D: Domain> Receiving<'_, T, N, D> {
    /// A seeded bug: leaves the line, and what it was served.
    pub fn withdraw_with_the_value(mut self: Pin<&mut Self>) {
        self.as_mut().leave_with_the_value();
        self.withdraw();
    }

    /// A seeded bug: goes without giving back what was set aside for it.
    pub fn leave_with_the_value(self: Pin<&mut Self>) {
        self.waiter.leave(&self.channel.guarded, |_, _| None);
    }
}

impl<T, const N: usize, D: Domain> fmt::Debug for Receiving<'_, T, N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiving")
    }
}

/// The values of a channel, one after the other, until it is closed and drained.
///
/// With the feature `futures-core` it is a `Stream`. It keeps its place in the line, and a value that it was
/// served there, until it is asked again or dropped.
///
/// ```
/// # use unboxed_core as unboxed;
/// # fn block_on<F: Future>(f: F) -> F::Output {
/// #     let mut f = std::pin::pin!(f);
/// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(out) = f.as_mut().poll(&mut cx) { return out } }
/// # }
/// use unboxed::channel::Channel;
///
/// let channel: Channel<u8, 2> = Channel::new();
/// channel.try_send(1).unwrap();
/// channel.try_send(2).unwrap();
/// channel.close();
/// # block_on(async {
/// let mut values = std::pin::pin!(channel.values());
/// let mut sum = 0;
/// while let Some(value) = values.as_mut().next().await {
///     sum += value;
/// }
/// assert_eq!(sum, 3);
/// # });
/// ```
#[derive(Debug)]
#[must_use = "it does nothing unless asked for its next value"]
pub struct Values<'a, T, const N: usize, D: Domain = Tasks> {
    receiving: Receiving<'a, T, N, D>,
}

impl<'a, T, const N: usize, D: Domain> Values<'a, T, N, D> {
    pub(super) fn new(channel: &'a Channel<T, N, D>) -> Self {
        Self { receiving: Receiving::new(channel) }
    }

    /// The next one, as a `Stream` is asked for it.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let orders: unboxed::channel::Channel<u32, 1> = unboxed::channel::Channel::new();
    /// let mut values = pin!(orders.values());
    /// assert_eq!(values.as_mut().poll_next(&mut cx), Poll::Pending);
    /// orders.close();
    /// assert_eq!(values.poll_next(&mut cx), Poll::Ready(None));
    /// ```
    pub fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // SAFETY: `receiving` is pinned structurally; there is no drop of our own.
        unsafe { self.map_unchecked_mut(|values| &mut values.receiving) }.poll(cx).map(Result::ok)
    }

    /// The next one; `None` once the channel is closed and drained.
    ///
    /// # Cancel safety
    /// Nothing is lost: a place in the line, and what was served there, is kept for the next call.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// async fn first(orders: &unboxed::channel::Channel<u32, 1>) -> Option<u32> {
    ///     core::pin::pin!(orders.values()).next().await
    /// }
    /// # let _ = first(&unboxed::channel::Channel::new());
    /// ```
    pub async fn next(mut self: Pin<&mut Self>) -> Option<T> {
        core::future::poll_fn(|cx| self.as_mut().poll_next(cx)).await
    }
}

#[cfg(feature = "futures-core")]
impl<T, const N: usize, D: Domain> futures_core::Stream for Values<'_, T, N, D> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Values::poll_next(self, cx)
    }
}

/// See [`Channel::drain`].
#[derive(Debug)]
pub struct Drain<'a, T, const N: usize, D: Domain = Tasks> {
    channel: &'a Channel<T, N, D>,
}

impl<'a, T, const N: usize, D: Domain> Drain<'a, T, N, D> {
    pub(super) fn new(channel: &'a Channel<T, N, D>) -> Self {
        Self { channel }
    }
}

impl<T, const N: usize, D: Domain> Iterator for Drain<'_, T, N, D> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.channel.try_recv().ok()
    }
}
