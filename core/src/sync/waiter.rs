//! The wait list: first in, first out, through nodes that lie in the waiting futures.
//!
//! ```text
//!           poll, nothing there           served by an unlock, a send, ...      next poll
//!  IDLE ----------------------> QUEUED ----------------------------------> SERVED ------> IDLE
//!                                  |  dropped: unlinked                       |  dropped: passed on
//!                                  v                                          v
//!                                IDLE                                       IDLE
//! ```

use super::domain::Domain;
use super::guarded::{Guarded, Inner};
use super::list::{List, Node, number, word};
use super::plain;
use crate::atomics::UnsafeCell;
use core::cell::Cell;
use core::marker::PhantomPinned;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// One who waits; 48 bytes at most, within its future.
pub(crate) struct Waiter {
    /// WAIT-5: written when it comes to wait, and looked at only while it does, so that making a waiter costs
    /// nothing. What is left in it has no waker.
    node: UnsafeCell<MaybeUninit<Node>>,
    /// Whether it is queued or served; only its future asks and tells.
    pub(super) waiting: Cell<bool>,
    _pinned: PhantomPinned,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Waiter>() <= 48);

// SAFETY: WAIT-1; the rest is its future's own.
unsafe impl Send for Waiter {}

impl core::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Waiter").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

/// What is found of one that waits.
enum Look {
    /// It was served, with this answer.
    Served(u32),
    Waits,
    /// It waits, and is polled with another waker than before.
    OtherWaker,
}

impl Waiter {
    /// Not a constant: of one that is, all bytes would be written, those of the node too.
    #[cfg(not(loom))]
    #[inline(always)]
    pub fn new() -> Self {
        let mut waiter = MaybeUninit::<Self>::uninit();
        let place = waiter.as_mut_ptr();
        // SAFETY: WAIT-5: the node may be anything; what is left is written here.
        unsafe {
            (&raw mut (*place).waiting).write(Cell::new(false));
            waiter.assume_init()
        }
    }

    #[cfg(loom)]
    pub fn new() -> Self {
        let node = UnsafeCell::new(MaybeUninit::uninit());
        Self { node, waiting: Cell::new(false), _pinned: PhantomPinned }
    }

    /// Whether it is queued, or served and not polled since.
    pub fn is_waiting(&self) -> bool {
        self.waiting.get()
    }

    /// The node of one that waits, under the raw lock.
    #[inline(always)]
    pub(super) fn with_node<R>(&self, f: impl FnOnce(*mut Node) -> R) -> R {
        self.node.with_mut(|node| f(node.cast()))
    }

    /// Tries; if that gives no answer, waits for one to `request`. `result` makes of an answer what the caller gets.
    ///
    /// `attempt` runs under the lock, perhaps twice. It answers for who came before: it must not overtake
    /// the list.
    #[inline(always)]
    pub fn poll<D: Domain, S, R>(
        self: Pin<&Self>,
        guarded: &Guarded<D, S>,
        cx: &mut Context<'_>,
        request: u32,
        mut attempt: impl FnMut(&mut Inner<S>) -> Option<u32>,
        result: impl Fn(u32) -> R,
    ) -> Poll<R> {
        if self.waiting.get() {
            return self.poll_waiting(guarded, cx, |_, answer| answer).map(result);
        }
        let (list, request) = (Inner::list, word(request));
        match self.try_or_link(guarded, list, cx, request, &mut attempt) {
            Some(answer) => Poll::Ready(result(answer)),
            None if self.waiting.get() => Poll::Pending,
            None => self.enqueue_apart(guarded, cx, request, |inner| attempt(inner).map(&result)),
        }
    }

    /// The same in one of several lists; `served` runs under the lock too, a request may be a pointer, and what
    /// either of the two leaves to be done after the unlock goes into `after`.
    #[inline]
    #[allow(clippy::too_many_arguments)]
    pub fn poll_in<D: Domain, S, A, R>(
        self: Pin<&Self>,
        guarded: &Guarded<D, S>,
        list: fn(&mut Inner<S>) -> &mut List,
        cx: &mut Context<'_>,
        request: *const (),
        after: &mut A,
        mut attempt: impl FnMut(&mut Inner<S>, &mut A) -> Option<R>,
        mut served: impl FnMut(&mut Inner<S>, &mut A, u32) -> R,
    ) -> Poll<R> {
        if self.waiting.get() {
            return self.poll_waiting(guarded, cx, |inner, answer| served(inner, after, answer));
        }
        let found = self.try_or_link(guarded, list, cx, request, |inner| attempt(inner, after));
        match found {
            Some(found) => Poll::Ready(found),
            None if self.waiting.get() => Poll::Pending,
            None => self.enqueue(guarded, list, cx, request, |inner| attempt(inner, after)),
        }
    }

    /// Tries, and comes to wait if that gives nothing, unless the waker is one that cannot be copied under the lock.
    #[inline(always)]
    fn try_or_link<D: Domain, S, R>(
        self: Pin<&Self>,
        guarded: &Guarded<D, S>,
        list: fn(&mut Inner<S>) -> &mut List,
        cx: &mut Context<'_>,
        request: *const (),
        attempt: impl FnOnce(&mut Inner<S>) -> Option<R>,
    ) -> Option<R> {
        guarded.with(|inner| {
            let found = attempt(inner);
            if found.is_none()
                && let Some(waker) = plain::copy(cx.waker())
            {
                self.link(inner, list, waker, request);
            }
            found
        })
    }

    #[inline]
    fn link<S>(
        self: Pin<&Self>,
        inner: &mut Inner<S>,
        list: fn(&mut Inner<S>) -> &mut List,
        waker: Waker,
        request: *const (),
    ) {
        // SAFETY: WAIT-3: we are in `poll` of a pinned future, and not in the list.
        unsafe { list(inner).push(self.get_ref(), waker, request) };
        self.waiting.set(true);
    }

    /// Apart, so that what comes before is short enough to be inlined.
    #[cold]
    #[inline(never)]
    fn enqueue_apart<D: Domain, S, R>(
        self: Pin<&Self>,
        guarded: &Guarded<D, S>,
        cx: &mut Context<'_>,
        request: *const (),
        attempt: impl FnMut(&mut Inner<S>) -> Option<R>,
    ) -> Poll<R> {
        self.enqueue(guarded, Inner::list, cx, request, attempt)
    }

    /// For wakers of others, whose clone is foreign code.
    fn enqueue<D: Domain, S, R>(
        self: Pin<&Self>,
        guarded: &Guarded<D, S>,
        list: fn(&mut Inner<S>) -> &mut List,
        cx: &mut Context<'_>,
        request: *const (),
        mut attempt: impl FnMut(&mut Inner<S>) -> Option<R>,
    ) -> Poll<R> {
        // WAIT-2: cloned before the lock, and dropped after it if it is not needed.
        let mut waker = Some(cx.waker().clone());
        let found = guarded.with(|inner| {
            let found = attempt(inner);
            if found.is_none()
                && let Some(waker) = waker.take()
            {
                self.link(inner, list, waker, request);
            }
            found
        });
        // Here, while `found` is still a local: a panic of this drop gives back what was found.
        drop(waker);
        found.map_or(Poll::Pending, Poll::Ready)
    }

    #[inline(always)]
    fn poll_waiting<D: Domain, S, R>(
        &self,
        guarded: &Guarded<D, S>,
        cx: &mut Context<'_>,
        mut served: impl FnMut(&mut Inner<S>, u32) -> R,
    ) -> Poll<R> {
        loop {
            let look = guarded.with(|inner| match self.look(cx.waker()) {
                Look::Served(answer) => Some(Poll::Ready(served(inner, answer))),
                Look::Waits => Some(Poll::Pending),
                Look::OtherWaker => None,
            });
            match look {
                Some(end) => {
                    self.waiting.set(end.is_pending());
                    return end;
                }
                None if self.change_waker(guarded, cx.waker()) => return Poll::Pending,
                None => {}
            }
        }
    }

    /// Under the lock.
    #[inline(always)]
    fn look(&self, waker: &Waker) -> Look {
        self.with_node(|node| {
            // SAFETY: WAIT-1 and WAIT-5.
            let node = unsafe { &*node };
            match &node.waker {
                None => Look::Served(number(node.word)),
                Some(own) if own.will_wake(waker) => Look::Waits,
                Some(_) => Look::OtherWaker,
            }
        })
    }

    /// Whether it still waits, now for this waker.
    #[inline(never)]
    fn change_waker<D: Domain, S>(&self, guarded: &Guarded<D, S>, waker: &Waker) -> bool {
        // WAIT-2: cloned before the lock; the old one, or this one if it is not needed, is dropped after it. That
        // may panic, so what was served is still there then.
        let mut waker = Some(waker.clone());
        guarded.with(|_| {
            self.with_node(|node| {
                // SAFETY: WAIT-1 and WAIT-5.
                let node = unsafe { &mut *node };
                if !node.is_served() {
                    core::mem::swap(&mut node.waker, &mut waker);
                }
                !node.is_served()
            })
        })
    }
}
