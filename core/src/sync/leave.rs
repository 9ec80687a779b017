//! Waiting no more: a future that is dropped, or cancelled, takes its waiter off the list, and passes on what that was
//! served.

use super::domain::Domain;
use super::guarded::{Guarded, Inner};
use super::list::{List, number};
use super::waiter::Waiter;
use core::task::Waker;

/// How a waiter ended that does not wait any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It was in the list.
    Queued,
    /// It was served, with this answer.
    Served(u32),
}

impl Waiter {
    /// Waits no more, as [`leave`](Self::leave), where more than one may be waiting for what is settled.
    #[inline(always)]
    pub fn leave_serving<D: Domain, S>(
        &self,
        guarded: &Guarded<D, S>,
        settle: impl FnOnce(&mut Inner<S>, Left),
        step: impl FnMut(&mut Inner<S>) -> Option<Waker>,
    ) {
        if self.waiting.get() {
            self.cancel_serving(guarded, settle, step);
        }
    }

    #[cold]
    fn cancel_serving<D: Domain, S>(
        &self,
        guarded: &Guarded<D, S>,
        settle: impl FnOnce(&mut Inner<S>, Left),
        step: impl FnMut(&mut Inner<S>) -> Option<Waker>,
    ) {
        self.waiting.set(false);
        // WAIT-2: dropped after the lock, and after the others were woken.
        let _own = guarded.serve(
            |inner| {
                let (own, left) = self.take(inner, Inner::list);
                settle(inner, left);
                own
            },
            step,
        );
    }

    /// Takes it off, and its waker out, under the lock.
    fn take<S>(&self, inner: &mut Inner<S>, list: fn(&mut Inner<S>) -> &mut List) -> (Option<Waker>, Left) {
        let (answer, own) = self.with_node(|node| {
            // SAFETY: WAIT-1 and WAIT-5.
            let node = unsafe { &mut *node };
            (node.is_served().then_some(node.word), node.waker.take())
        });
        if answer.is_none() {
            // SAFETY: WAIT-3: it is in this list.
            unsafe { list(inner).unlink(self) };
        }
        (own, answer.map_or(Left::Queued, |word| Left::Served(number(word))))
    }

    /// Waits no more. `settle` runs under the lock after it was taken off, and gives a waker to be woken: what
    /// it was served, or blocked, may be another's now.
    #[inline(always)]
    pub fn leave<D: Domain, S>(
        &self,
        guarded: &Guarded<D, S>,
        settle: impl FnOnce(&mut Inner<S>, Left) -> Option<Waker>,
    ) {
        self.leave_in(guarded, Inner::list, settle);
    }

    /// The same for one of several lists.
    #[inline(always)]
    pub fn leave_in<D: Domain, S>(
        &self,
        guarded: &Guarded<D, S>,
        list: fn(&mut Inner<S>) -> &mut List,
        settle: impl FnOnce(&mut Inner<S>, Left) -> Option<Waker>,
    ) {
        if self.waiting.get() {
            self.cancel(guarded, list, settle);
        }
    }

    #[cold]
    fn cancel<D: Domain, S>(
        &self,
        guarded: &Guarded<D, S>,
        list: fn(&mut Inner<S>) -> &mut List,
        settle: impl FnOnce(&mut Inner<S>, Left) -> Option<Waker>,
    ) {
        self.waiting.set(false);
        // WAIT-2: `_own` is dropped after the lock, and after the other was woken.
        let (_own, other) = guarded.with(|inner| {
            let (own, left) = self.take(inner, list);
            (own, settle(inner, left))
        });
        if let Some(waker) = other {
            waker.wake();
        }
    }

    /// Leaves the list if it is still in it. One that was served waits on, for its next poll.
    #[cfg_attr(loom, allow(dead_code))]
    pub fn withdraw<D: Domain, S>(&self, guarded: &Guarded<D, S>, list: fn(&mut Inner<S>) -> &mut List) {
        if !self.waiting.get() {
            return;
        }
        let own = guarded.with(|inner| {
            // SAFETY: WAIT-1 and WAIT-5.
            let own = self.with_node(|node| unsafe { (*node).waker.take() });
            if own.is_some() {
                // SAFETY: a node with a waker is in this list.
                unsafe { list(inner).unlink(self) };
            }
            own
        });
        // WAIT-2: the waker is dropped with `own`, after the lock.
        self.waiting.set(own.is_none());
    }
}
