//! What a channel's raw lock guards, and the steps under it. None of them runs foreign code (WAIT-2): values
//! are moved, and the wakers that a step takes are woken by its caller after the unlock.

use super::ring::Ring;
use crate::atomics::UnsafeCell;
use crate::sync::{Inner, List};
use core::task::Waker;

/// A receiver's answer: one value of the ring is set aside for it.
pub(super) const ITEM: u32 = 0;
/// A sender's answer: its value is in the ring.
pub(super) const SENT: u32 = 1;
/// The channel is closed.
pub(super) const CLOSED: u32 = 2;

/// CHAN-2: `aside` values of the ring belong to receivers that were served. Receivers wait only while all
/// values are set aside; senders wait only while the ring is full and the channel open.
pub(crate) struct State<T, const N: usize> {
    pub ring: Ring<T, N>,
    /// Those who wait for room; the list beside the state is of those who wait for values.
    pub senders: List,
    pub aside: usize,
    pub closed: bool,
}

/// What is to be done after the unlock. Steps write it in place: as a part of their result it would be copied
/// around, by loads that wait for the narrower stores before them.
#[derive(Default)]
pub(crate) struct After {
    /// Of the sender whose value was moved in.
    pub sender: Option<Waker>,
    /// Of the receiver that a value was set aside for.
    pub receiver: Option<Waker>,
    /// The last value of a closed channel is gone: nothing comes for those who wait.
    pub ended: bool,
}

pub(super) type Chan<T, const N: usize> = Inner<State<T, N>>;

/// Where a waiting sender's value lies: in its pinned future, moved out under the raw lock (CHAN-3).
pub(super) type Cargo<T> = UnsafeCell<Option<T>>;

pub(super) fn senders<T, const N: usize>(chan: &mut Chan<T, N>) -> &mut List {
    &mut chan.state.senders
}

impl<T, const N: usize> State<T, N> {
    pub const fn new() -> Self {
        Self { ring: Ring::new(), senders: List::new(), aside: 0, closed: false }
    }
}

impl<T, const N: usize> Chan<T, N> {
    /// Whether a value lies there that is nobody's yet.
    #[inline]
    pub fn has_value(&self) -> bool {
        self.state.ring.len() > self.state.aside
    }

    #[inline]
    pub fn has_ended(&self) -> bool {
        self.state.closed && self.state.ring.len() == 0
    }

    /// Puts a value into the ring, and serves the first receiver. There is room.
    #[inline(always)]
    pub fn put(&mut self, value: T, after: &mut After) {
        self.state.ring.push(value);
        self.serve_receiver(&mut after.receiver);
    }

    /// Sets a value aside for the first receiver; one is there that is nobody's.
    #[inline(always)]
    pub fn serve_receiver(&mut self, waker: &mut Option<Waker>) {
        if !self.list.is_empty() {
            *waker = self.list.serve(ITEM);
            self.state.aside += 1;
        }
    }

    /// Takes the first value, and moves the first sender's into the ring.
    #[inline(always)]
    pub fn take(&mut self, after: &mut After) -> Option<T> {
        let value = self.state.ring.pop()?;
        if self.state.closed || !self.state.senders.is_empty() {
            self.took(after);
        }
        Some(value)
    }

    /// What a taken value leaves to be done: an end, or room for a sender.
    fn took(&mut self, after: &mut After) {
        if self.state.closed {
            after.ended = self.state.ring.len() == 0;
        } else {
            self.move_in(after);
        }
    }

    /// Tells the next one who waits, once the channel is closed: senders, and receivers when no value is left.
    pub fn end_next(&mut self) -> Option<Waker> {
        if !self.state.closed {
            return None;
        }
        let sender = self.state.senders.serve(CLOSED);
        if sender.is_none() && self.has_ended() { self.list.serve(CLOSED) } else { sender }
    }

    fn move_in(&mut self, after: &mut After) {
        let Some(cargo) = self.state.senders.request_word() else { return };
        // SAFETY: CHAN-3: the sender is in the list, so its pinned future is there.
        let cargo = unsafe { &*cargo.cast::<Cargo<T>>() };
        // SAFETY: CHAN-3, under the raw lock.
        let next = cargo.with_mut(|cargo| unsafe { (*cargo).take() });
        after.sender = self.state.senders.serve(SENT);
        if let Some(next) = next {
            self.put(next, after);
        }
    }
}
