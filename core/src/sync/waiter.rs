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
use crate::atomics::UnsafeCell;
use core::cell::Cell;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, Waker};

#[derive(Debug)]
struct Node {
    previous: *const Waiter,
    next: *const Waiter,
    waker: Option<Waker>,
    /// What is asked for while queued, what was answered when served; the primitive knows what it means. It
    /// is a number, or points to something in the waiting future.
    word: *const (),
}

impl Node {
    const IDLE: Self = Self { previous: ptr::null(), next: ptr::null(), waker: None, word: ptr::null() };

    /// Of one that waits: a node in the list has a waker, and who serves it takes that (WAIT-4).
    fn is_served(&self) -> bool {
        self.waker.is_none()
    }
}

/// A number as a node's word.
fn word(number: u32) -> *const () {
    ptr::without_provenance(number as usize)
}

/// The number that a word is.
fn number(word: *const ()) -> u32 {
    word.addr() as u32
}

/// One who waits; 48 bytes at most, within its future.
#[derive(Debug)]
pub(crate) struct Waiter {
    node: UnsafeCell<Node>,
    /// Whether it is queued or served; only its future asks and tells.
    waiting: Cell<bool>,
    _pinned: PhantomPinned,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Waiter>() <= 48);

// SAFETY: WAIT-1; the rest is its future's own.
unsafe impl Send for Waiter {}

/// How a waiter ended that does not wait any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It was in the list.
    Queued,
    /// It was served, with this answer.
    Served(u32),
}

impl Waiter {
    crate::atomics::const_unless_loom! {
        pub fn new() -> Self {
            Self {
                node: UnsafeCell::new(Node::IDLE),
                waiting: Cell::new(false),
                _pinned: PhantomPinned,
            }
        }
    }

    /// Whether it is queued, or served and not polled since.
    pub fn is_waiting(&self) -> bool {
        self.waiting.get()
    }

    /// Tries; if that gives nothing, waits for an answer to `request`.
    ///
    /// `attempt` runs under the lock, perhaps twice. It answers for who came before: it must not overtake
    /// the list.
    #[inline]
    pub fn poll<D: Domain, S, R>(
        self: Pin<&Self>,
        guarded: &Guarded<D, S>,
        cx: &mut Context<'_>,
        request: u32,
        attempt: impl FnMut(&mut Inner<S>) -> Option<R>,
        served: impl FnOnce(u32) -> R,
    ) -> Poll<R> {
        self.poll_in(guarded, Inner::list, cx, word(request), attempt, |_, answer| served(answer))
    }

    /// The same in one of several lists; `served` runs under the lock, and a request may be a pointer.
    #[inline]
    pub fn poll_in<D: Domain, S, R>(
        self: Pin<&Self>,
        guarded: &Guarded<D, S>,
        list: fn(&mut Inner<S>) -> &mut List,
        cx: &mut Context<'_>,
        request: *const (),
        mut attempt: impl FnMut(&mut Inner<S>) -> Option<R>,
        served: impl FnOnce(&mut Inner<S>, u32) -> R,
    ) -> Poll<R> {
        if self.waiting.get() {
            return self.poll_waiting(guarded, cx, served);
        }
        if let Some(found) = guarded.with(&mut attempt) {
            return Poll::Ready(found);
        }
        self.enqueue(guarded, list, cx, request, attempt)
    }

    #[inline]
    fn link<S>(
        self: Pin<&Self>,
        inner: &mut Inner<S>,
        list: fn(&mut Inner<S>) -> &mut List,
        waker: Waker,
        request: *const (),
    ) {
        self.node.with_mut(|node| {
            // SAFETY: WAIT-1.
            let node = unsafe { &mut *node };
            debug_assert!(node.waker.is_none());
            // A plain write: what lay there was taken (WAIT-4).
            core::mem::forget(node.waker.replace(waker));
            node.word = request;
        });
        // SAFETY: WAIT-3: we are in `poll` of a pinned future, and not in the list.
        unsafe { list(inner).push(self.get_ref()) };
    }

    #[inline]
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
        self.waiting.set(found.is_none());
        found.map_or(Poll::Pending, Poll::Ready)
    }

    fn poll_waiting<D: Domain, S, R>(
        &self,
        guarded: &Guarded<D, S>,
        cx: &mut Context<'_>,
        served: impl FnOnce(&mut Inner<S>, u32) -> R,
    ) -> Poll<R> {
        let mut fresh = None;
        let mut served = Some(served);
        loop {
            let mut old = None;
            let look = guarded.with(|inner| {
                let answer = self.node.with_mut(|node| {
                    // SAFETY: WAIT-1.
                    let node = unsafe { &mut *node };
                    if node.is_served() {
                        return Some(Poll::Ready(number(node.word)));
                    }
                    if node.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                        return Some(Poll::Pending);
                    }
                    let fresh = fresh.take()?;
                    old = node.waker.replace(fresh);
                    Some(Poll::Pending)
                });
                answer.map(|answer| answer.map(|answer| served.take().map(|served| served(inner, answer))))
            });
            // WAIT-2: the old waker is dropped here, after the lock.
            drop(old);
            match look {
                Some(Poll::Ready(Some(answer))) => {
                    self.waiting.set(false);
                    return Poll::Ready(answer);
                }
                Some(_) => return Poll::Pending,
                None => fresh = Some(cx.waker().clone()),
            }
        }
    }

    /// Waits no more, as [`leave`](Self::leave), where more than one may be waiting for what is settled.
    pub fn leave_serving<D: Domain, S>(
        &self,
        guarded: &Guarded<D, S>,
        settle: impl FnOnce(&mut Inner<S>, Left),
        step: impl FnMut(&mut Inner<S>) -> Option<Waker>,
    ) {
        if !self.waiting.replace(false) {
            return;
        }
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
        let (answer, own) = self.node.with_mut(|node| {
            // SAFETY: WAIT-1.
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
    pub fn leave<D: Domain, S>(
        &self,
        guarded: &Guarded<D, S>,
        settle: impl FnOnce(&mut Inner<S>, Left) -> Option<Waker>,
    ) {
        self.leave_in(guarded, Inner::list, settle);
    }

    /// The same for one of several lists.
    pub fn leave_in<D: Domain, S>(
        &self,
        guarded: &Guarded<D, S>,
        list: fn(&mut Inner<S>) -> &mut List,
        settle: impl FnOnce(&mut Inner<S>, Left) -> Option<Waker>,
    ) {
        if !self.waiting.replace(false) {
            return;
        }
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
            // SAFETY: WAIT-1.
            let own = self.node.with_mut(|node| unsafe { (*node).waker.take() });
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

/// Those who wait, in order.
#[derive(Debug)]
pub(crate) struct List {
    first: *const Waiter,
    last: *const Waiter,
}

// SAFETY: WAIT-1: it lies in what the raw lock guards.
unsafe impl Send for List {}

impl List {
    pub const fn new() -> Self {
        Self { first: ptr::null(), last: ptr::null() }
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// # Safety
    /// WAIT-3; the waiter is in no list.
    unsafe fn push(&mut self, waiter: &Waiter) {
        let last = self.last;
        waiter.node.with_mut(|node| {
            // SAFETY: WAIT-1.
            unsafe { ((*node).previous, (*node).next) = (last, ptr::null()) };
        });
        // SAFETY: WAIT-1 and WAIT-3.
        match unsafe { last.as_ref() } {
            None => self.first = waiter,
            // SAFETY: WAIT-1 and WAIT-3, as above.
            Some(last) => last.node.with_mut(|node| unsafe { (*node).next = waiter }),
        }
        self.last = waiter;
    }

    /// # Safety
    /// The waiter is in this list.
    unsafe fn unlink(&mut self, waiter: &Waiter) {
        // SAFETY: WAIT-1.
        let (previous, next) = waiter.node.with_mut(|node| unsafe { ((*node).previous, (*node).next) });
        // SAFETY: WAIT-1 and WAIT-3, for both neighbours.
        match unsafe { previous.as_ref() } {
            None => self.first = next,
            // SAFETY: WAIT-1 and WAIT-3, as above.
            Some(previous) => previous.node.with_mut(|node| unsafe { (*node).next = next }),
        }
        // SAFETY: WAIT-1 and WAIT-3, as above.
        match unsafe { next.as_ref() } {
            None => self.last = previous,
            // SAFETY: WAIT-1 and WAIT-3, as above.
            Some(next) => next.node.with_mut(|node| unsafe { (*node).previous = previous }),
        }
    }

    /// What the first one asks for.
    pub fn request(&self) -> Option<u32> {
        self.request_word().map(number)
    }

    /// The same, when it is a pointer.
    pub fn request_word(&self) -> Option<*const ()> {
        // SAFETY: WAIT-1 and WAIT-3.
        let first = unsafe { self.first.as_ref() }?;
        // SAFETY: WAIT-1.
        Some(first.node.with_mut(|node| unsafe { (*node).word }))
    }

    /// Serves the first one; its waker is to be woken after the unlock (WAIT-2, WAIT-4).
    #[must_use]
    pub fn serve(&mut self, answer: u32) -> Option<Waker> {
        // SAFETY: WAIT-1 and WAIT-3.
        let first = unsafe { self.first.as_ref() }?;
        // SAFETY: WAIT-3: it is in this list.
        unsafe { self.unlink(first) };
        first.node.with_mut(|node| {
            // SAFETY: WAIT-1.
            let node = unsafe { &mut *node };
            node.word = word(answer);
            node.waker.take()
        })
    }
}
