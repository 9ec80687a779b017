//! One value from one sender to one receiver, again and again in the same place.

use super::error::{RecvError, SendError};
use super::oneshot_recv::OneshotReceiver;
use crate::sync::{Domain, Guarded, Inner, Tasks};
use core::fmt;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Free,
    Held,
    Gone,
}

/// ONCE-1: a half is held by at most one handle; once both are gone the round is over, and both are free.
pub(super) struct State<T> {
    pub value: Option<T>,
    sender: Half,
    pub receiver: Half,
}

impl<T> Inner<State<T>> {
    /// The last of a round clears the place; the value is the caller's to drop.
    pub(super) fn end_round(&mut self) -> Option<T> {
        let state = &mut self.state;
        if state.sender != Half::Gone || state.receiver != Half::Gone {
            return None;
        }
        (state.sender, state.receiver) = (Half::Free, Half::Free);
        state.value.take()
    }

    pub(super) fn receive(&mut self) -> Option<Result<T, RecvError>> {
        let gone = self.state.sender == Half::Gone;
        self.state.value.take().map(Ok).or(gone.then_some(Err(RecvError::Closed)))
    }
}

/// A place for one value on its way from one task to another.
///
/// Each half is claimed by whoever comes for it, and by one at a time. A round is over when both halves were
/// claimed and dropped; then the place serves the next one.
///
/// ```
/// # use unboxed_core as unboxed;
/// # fn block_on<F: Future>(f: F) -> F::Output {
/// #     let mut f = std::pin::pin!(f);
/// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(out) = f.as_mut().poll(&mut cx) { return out } }
/// # }
/// use unboxed::channel::Oneshot;
///
/// static ANSWER: Oneshot<u32> = Oneshot::new();
///
/// # block_on(async {
/// for round in 0..3 {
///     let sender = ANSWER.sender().expect("nobody else sends");
///     let mut receiver = ANSWER.receiver().expect("nobody else receives");
///     sender.send(round).expect("the receiver is there");
///     assert_eq!(receiver.recv().await, Ok(round));
/// }
/// # });
/// ```
pub struct Oneshot<T, D: Domain = Tasks> {
    pub(super) guarded: Guarded<D, State<T>>,
}

impl<T> Oneshot<T> {
    /// A place for all tasks; for other domains see [`with_domain`](Self::with_domain).
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// static ANSWER: unboxed::channel::Oneshot<u32> = unboxed::channel::Oneshot::new();
    /// assert!(ANSWER.sender().is_some());
    /// ```
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self::with_domain()
    }
}

#[cfg(not(loom))]
impl<T, D: Domain> Default for Oneshot<T, D> {
    fn default() -> Self {
        Self::with_domain()
    }
}

impl<T, D: Domain> Oneshot<T, D> {
    crate::atomics::const_unless_loom! {
        /// A place of the domain that its type names.
        ///
        /// ```
        /// # use unboxed_core as unboxed;
        /// use unboxed::{channel::Oneshot, sync::Local};
        /// let answer: Oneshot<u32, Local> = Oneshot::with_domain();
        /// assert!(answer.receiver().is_some());
        /// ```
        pub fn with_domain() -> Self {
            Self { guarded: Guarded::new(State { value: None, sender: Half::Free, receiver: Half::Free }) }
        }
    }

    /// Claims the sending half; none while, or after, somebody else has it in this round.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let answer = unboxed::channel::Oneshot::<u32>::new();
    /// let sender = answer.sender().unwrap();
    /// assert!(answer.sender().is_none());
    /// # drop(sender);
    /// ```
    pub fn sender(&self) -> Option<OneshotSender<'_, T, D>> {
        self.guarded.with(|place| claim(&mut place.state.sender)).then(|| OneshotSender { place: self })
    }

    /// Claims the receiving half; none while, or after, somebody else has it in this round.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let answer = unboxed::channel::Oneshot::<u32>::new();
    /// let receiver = answer.receiver().unwrap();
    /// assert!(answer.receiver().is_none());
    /// # drop(receiver);
    /// ```
    pub fn receiver(&self) -> Option<OneshotReceiver<'_, T, D>> {
        self.guarded.with(|place| claim(&mut place.state.receiver)).then(|| OneshotReceiver::new(self))
    }
}

fn claim(half: &mut Half) -> bool {
    let free = *half == Half::Free;
    if free {
        *half = Half::Held;
    }
    free
}

impl<T, D: Domain> fmt::Debug for Oneshot<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = self.guarded.with(|place| place.state.value.is_some());
        f.debug_struct("Oneshot").field("full", &full).finish_non_exhaustive()
    }
}

/// Sends the one value of a round; dropped instead, it tells the receiver that none comes.
pub struct OneshotSender<'a, T, D: Domain = Tasks> {
    place: &'a Oneshot<T, D>,
}

impl<T, D: Domain> OneshotSender<'_, T, D> {
    /// Sends the value. It does not wait: the receiver may come for it later.
    ///
    /// # Errors
    /// [`SendError::Closed`] with the value, when the receiver came and is gone.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::{Oneshot, SendError};
    ///
    /// let answer = Oneshot::new();
    /// answer.sender().unwrap().send(1).unwrap();
    /// assert_eq!(answer.receiver().unwrap().try_recv(), Ok(1));
    /// // Another round, in which the receiver goes.
    /// let sender = answer.sender().unwrap();
    /// drop(answer.receiver());
    /// assert_eq!(sender.send(2), Err(SendError::Closed(2)));
    /// ```
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        // The receiver is served by our own drop.
        self.place.guarded.with(|place| {
            if place.state.receiver == Half::Gone {
                return Err(SendError::Closed(value));
            }
            place.state.value = Some(value);
            Ok(())
        })
    }

    /// Whether the receiver came and is gone.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let answer = unboxed::channel::Oneshot::<u32>::new();
    /// let sender = answer.sender().unwrap();
    /// drop(answer.receiver());
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.place.guarded.with(|place| place.state.receiver == Half::Gone)
    }
}

#[cfg(all(test, loom))]
impl<T, D: Domain> OneshotSender<'_, T, D> {
    /// A seeded bug: tells the receiver, and goes in a second step.
    pub fn go_too_late(self) {
        self.place.guarded.serve_before_the_change(
            |place| {
                place.state.sender = Half::Gone;
                place.end_round();
            },
            |place| place.list.serve(0),
        );
        core::mem::forget(self);
    }

    /// WAIT-2 broken.
    pub fn go_waking_under_the_lock(self) {
        let gone = |place: &mut Inner<State<T>>| place.state.sender = Half::Gone;
        self.place.guarded.serve_under_the_lock(gone, |place| place.list.serve(0));
        core::mem::forget(self);
    }
}

impl<T, D: Domain> Drop for OneshotSender<'_, T, D> {
    fn drop(&mut self) {
        let gone = |place: &mut Inner<State<T>>| {
            place.state.sender = Half::Gone;
            place.end_round()
        };
        // All: before the receiver's one may stand some that were leaked.
        drop(self.place.guarded.serve(gone, |place| place.list.serve(0)));
    }
}

impl<T, D: Domain> fmt::Debug for OneshotSender<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneshotSender")
    }
}
