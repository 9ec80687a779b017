//! A bounded queue between any number of senders and receivers.

use super::error::{RecvError, SendError};
use super::recv::{Drain, Receiving, Values};
use super::send::Sending;
use super::state::{After, Chan, State};
use crate::sync::{Domain, Guarded, Tasks};
use core::fmt;
use core::task::Waker;

/// At most `N` values on their way, first in, first out.
///
/// It lies where the user puts it: a static, a field, a local. A full channel makes senders wait, an empty one
/// receivers; both are served first come, first served.
///
/// - A send that waits keeps its value in its own future. The receiver that makes room moves the first waiting
///   value into the ring itself, so nobody overtakes, and a task that receives gets all waiting values without
///   a switch to their senders in between.
/// - A receiver that waits and is served has a value set aside for it, which stays in the ring until it is
///   polled. So `N` bounds the values on their way, and when the future is dropped instead, the value has
///   kept its place and is the next receiver's.
///
/// Values are moved while a spin lock is held (not with [`Local`](crate::sync::Local)), so large ones better go
/// by reference.
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
/// static JOBS: Channel<u32, 4> = Channel::new();
///
/// async fn producer() {
///     for job in 1..=3 {
///         JOBS.send(job).await.expect("open");
///     }
///     JOBS.close();
/// }
///
/// async fn consumer() -> u32 {
///     let mut sum = 0;
///     while let Ok(job) = JOBS.recv().await {
///         sum += job;
///     }
///     sum
/// }
/// # block_on(producer());
/// # assert_eq!(block_on(consumer()), 6);
/// ```
///
/// One of [`Local`](crate::sync::Local) stays on its thread:
///
/// ```compile_fail,E0277
/// # use unboxed_core as unboxed;
/// use unboxed::{channel::Channel, sync::Local};
///
/// static JOBS: Channel<u32, 4, Local> = Channel::with_domain();
/// ```
pub struct Channel<T, const N: usize, D: Domain = Tasks> {
    pub(super) guarded: Guarded<D, State<T, N>>,
}

impl<T, const N: usize> Channel<T, N> {
    /// An empty channel for all tasks; for other domains see [`with_domain`](Self::with_domain).
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// static JOBS: unboxed::channel::Channel<u32, 4> = unboxed::channel::Channel::new();
    /// assert!(JOBS.is_empty());
    /// ```
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self::with_domain()
    }
}

#[cfg(not(loom))]
impl<T, const N: usize, D: Domain> Default for Channel<T, N, D> {
    fn default() -> Self {
        Self::with_domain()
    }
}

impl<T, const N: usize, D: Domain> Channel<T, N, D> {
    crate::atomics::const_unless_loom! {
        /// An empty channel of the domain that its type names.
        ///
        /// ```
        /// # use unboxed_core as unboxed;
        /// use unboxed::{channel::Channel, sync::Local};
        /// let jobs: Channel<u32, 4, Local> = Channel::with_domain();
        /// jobs.try_send(1).unwrap();
        /// ```
        pub fn with_domain() -> Self {
            Self { guarded: Guarded::new(State::new()) }
        }
    }

    /// Sends a value, once there is room.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::Cancelled`]; the value comes back.
    ///
    /// # Panics
    /// When polled again after its end.
    ///
    /// # Cancel safety
    /// A future that is dropped while it waits drops its value, or was just about to learn that it is sent.
    /// Who must know cancels instead ([`Operation::cancel`](crate::op::Operation::cancel), `select`): the
    /// answer is that it was sent, or the value.
    ///
    /// # Fairness
    /// First come, first served; a send that finds room while others wait does not exist.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::{Channel, SendError};
    ///
    /// async fn order(orders: &Channel<u32, 1>) {
    ///     if let Err(SendError::Closed(order)) = orders.send(7).await {
    ///         println!("too late for {order}");
    ///     }
    /// }
    /// # let _ = order(&Channel::new());
    /// ```
    pub fn send(&self, value: T) -> Sending<'_, T, N, D> {
        Sending::new(self, value)
    }

    /// Sends a value, if there is room now.
    ///
    /// # Errors
    /// [`SendError::Full`], [`SendError::Closed`]; the value comes back.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::{Channel, SendError};
    ///
    /// let orders: Channel<u32, 1> = Channel::new();
    /// assert_eq!(orders.try_send(1), Ok(()));
    /// assert_eq!(orders.try_send(2), Err(SendError::Full(2)));
    /// ```
    pub fn try_send(&self, value: T) -> Result<(), SendError<T>> {
        let mut after = After::default();
        let sent = self.guarded.with(|chan| {
            if chan.state.closed {
                return Err(SendError::Closed(value));
            }
            if chan.state.ring.is_full() {
                return Err(SendError::Full(value));
            }
            chan.put(value, &mut after);
            Ok(())
        });
        self.follow(after);
        sent
    }

    /// Receives the next value, once there is one.
    ///
    /// # Errors
    /// [`RecvError::Closed`] when the channel is closed and every value was taken, [`RecvError::Cancelled`].
    ///
    /// # Cancel safety
    /// Nothing is lost: a value that a dropped future was served is the next receiver's.
    ///
    /// # Fairness
    /// First come, first served. Values go out in the order in which they came in.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::{Channel, RecvError};
    ///
    /// async fn serve(orders: &Channel<u32, 1>) -> RecvError {
    ///     loop {
    ///         match orders.recv().await {
    ///             Ok(order) => println!("serving {order}"),
    ///             Err(end) => return end,
    ///         }
    ///     }
    /// }
    /// # let _ = serve(&Channel::new());
    /// ```
    pub fn recv(&self) -> Receiving<'_, T, N, D> {
        Receiving::new(self)
    }

    /// Receives the next value, if one lies there that is not set aside for a receiver who waited.
    ///
    /// # Errors
    /// [`RecvError::Empty`], [`RecvError::Closed`].
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::{Channel, RecvError};
    ///
    /// let orders: Channel<u32, 1> = Channel::new();
    /// assert_eq!(orders.try_recv(), Err(RecvError::Empty));
    /// orders.try_send(1).unwrap();
    /// assert_eq!(orders.try_recv(), Ok(1));
    /// ```
    pub fn try_recv(&self) -> Result<T, RecvError> {
        let mut after = After::default();
        let taken = self.guarded.with(|chan| {
            if chan.has_value() {
                chan.take(&mut after).ok_or(RecvError::Empty)
            } else if chan.has_ended() {
                Err(RecvError::Closed)
            } else {
                Err(RecvError::Empty)
            }
        });
        self.follow(after);
        taken
    }

    /// Closes the channel: waiting and later sends get their value back, receivers get what is left and then
    /// [`RecvError::Closed`]. False when it was closed before.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::{Channel, RecvError, SendError};
    ///
    /// let orders: Channel<u32, 1> = Channel::new();
    /// orders.try_send(1).unwrap();
    /// assert!(orders.close() && !orders.close());
    /// assert_eq!(orders.try_send(2), Err(SendError::Closed(2)));
    /// assert_eq!(orders.try_recv(), Ok(1));
    /// assert_eq!(orders.try_recv(), Err(RecvError::Closed));
    /// ```
    pub fn close(&self) -> bool {
        self.guarded.serve(|chan| !core::mem::replace(&mut chan.state.closed, true), Chan::end_next)
    }

    /// Whether it was closed.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let orders: unboxed::channel::Channel<u32, 1> = unboxed::channel::Channel::new();
    /// orders.close();
    /// assert!(orders.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.guarded.with(|chan| chan.state.closed)
    }

    /// Takes what lies there, until there is nothing: an iterator that does not wait.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::Channel;
    ///
    /// let channel: Channel<u8, 2> = Channel::new();
    /// channel.try_send(1).unwrap();
    /// channel.try_send(2).unwrap();
    /// assert_eq!(channel.try_send(3).unwrap_err().into_inner(), 3);
    /// channel.close();
    /// assert_eq!(channel.drain().collect::<Vec<_>>(), [1, 2]);
    /// ```
    pub fn drain(&self) -> Drain<'_, T, N, D> {
        Drain::new(self)
    }

    /// Its values one after the other, until it is closed and drained.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::Channel;
    ///
    /// async fn sum(orders: &Channel<u32, 4>) -> u32 {
    ///     let mut orders = core::pin::pin!(orders.values());
    ///     let mut sum = 0;
    ///     while let Some(order) = orders.as_mut().next().await {
    ///         sum += order;
    ///     }
    ///     sum
    /// }
    /// # let _ = sum(&Channel::new());
    /// ```
    pub fn values(&self) -> Values<'_, T, N, D> {
        Values::new(self)
    }

    /// How many values lie there, with those set aside for receivers who have not come for them.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let orders: unboxed::channel::Channel<u32, 4> = unboxed::channel::Channel::new();
    /// orders.try_send(1).unwrap();
    /// assert_eq!(orders.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.guarded.with(|chan| chan.state.ring.len())
    }

    /// Whether no value lies there.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let orders: unboxed::channel::Channel<u32, 4> = unboxed::channel::Channel::new();
    /// assert!(orders.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is left to be done after a step under the lock.
    #[inline(always)]
    pub(super) fn follow(&self, after: After) {
        match after {
            After { sender: None, receiver: None, ended: false } => {}
            After { sender: None, receiver: Some(waker), ended: false } => waker.wake(),
            more => self.follow_more(more),
        }
    }

    #[inline(never)]
    fn follow_more(&self, after: After) {
        let receiver = OnDrop(after.receiver);
        if let Some(waker) = after.sender {
            waker.wake();
        }
        drop(receiver);
        if after.ended {
            self.guarded.serve(|_| (), Chan::end_next);
        }
    }
}

impl<T, const N: usize, D: Domain> fmt::Debug for Channel<T, N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, closed) = self.guarded.with(|chan| (chan.state.ring.len(), chan.state.closed));
        f.debug_struct("Channel").field("len", &len).field("places", &N).field("closed", &closed).finish()
    }
}

/// Wakes when it is dropped, also when another wake has panicked.
struct OnDrop(Option<Waker>);

impl Drop for OnDrop {
    #[inline]
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Channel<u64, 1, super::super::sync::Local>>() <= 80);
    assert!(size_of::<Channel<u64, 1>>() <= 88);
};
