//! The list itself, through nodes that lie in the waiters.

use super::waiter::Waiter;
use core::ptr;
use core::task::Waker;

/// What the list knows of one who waits; written anew each time that it comes to wait.
pub(super) struct Node {
    pub previous: *const Waiter,
    pub next: *const Waiter,
    pub waker: Option<Waker>,
    /// What is asked for while queued, what was answered when served; the primitive knows what it means. It
    /// is a number, or points to something in the waiting future.
    pub word: *const (),
}

impl Node {
    /// Of one that waits: a node in the list has a waker, and who serves it takes that (WAIT-4).
    pub fn is_served(&self) -> bool {
        self.waker.is_none()
    }
}

/// A number as a node's word.
pub(super) fn word(number: u32) -> *const () {
    ptr::without_provenance(number as usize)
}

/// The number that a word is.
pub(super) fn number(word: *const ()) -> u32 {
    word.addr() as u32
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
    pub(super) unsafe fn push(&mut self, waiter: &Waiter, waker: Waker, request: *const ()) {
        let last = self.last;
        let node = Node { previous: last, next: ptr::null(), waker: Some(waker), word: request };
        // SAFETY: WAIT-1 and WAIT-5: what lay there has no waker.
        waiter.with_node(|place| unsafe { place.write(node) });
        // SAFETY: WAIT-1 and WAIT-3.
        match unsafe { last.as_ref() } {
            None => self.first = waiter,
            // SAFETY: WAIT-1 and WAIT-3, as above.
            Some(last) => last.with_node(|node| unsafe { (*node).next = waiter }),
        }
        self.last = waiter;
    }

    /// # Safety
    /// The waiter is in this list.
    pub(super) unsafe fn unlink(&mut self, waiter: &Waiter) {
        // SAFETY: WAIT-1.
        let (previous, next) = waiter.with_node(|node| unsafe { ((*node).previous, (*node).next) });
        // SAFETY: WAIT-1 and WAIT-3, for both neighbours.
        match unsafe { previous.as_ref() } {
            None => self.first = next,
            // SAFETY: WAIT-1 and WAIT-3, as above.
            Some(previous) => previous.with_node(|node| unsafe { (*node).next = next }),
        }
        // SAFETY: WAIT-1 and WAIT-3, as above.
        match unsafe { next.as_ref() } {
            None => self.last = previous,
            // SAFETY: WAIT-1 and WAIT-3, as above.
            Some(next) => next.with_node(|node| unsafe { (*node).previous = previous }),
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
        Some(first.with_node(|node| unsafe { (*node).word }))
    }

    /// Serves the first one; its waker is to be woken after the unlock (WAIT-2, WAIT-4).
    #[inline(always)]
    #[must_use]
    pub fn serve(&mut self, answer: u32) -> Option<Waker> {
        // SAFETY: WAIT-1 and WAIT-3.
        let first = unsafe { self.first.as_ref() }?;
        self.serve_first(first, answer)
    }

    fn serve_first(&mut self, first: &Waiter, answer: u32) -> Option<Waker> {
        first.with_node(|node| {
            // SAFETY: WAIT-1.
            let node = unsafe { &mut *node };
            self.first = node.next;
            // SAFETY: WAIT-1 and WAIT-3.
            match unsafe { node.next.as_ref() } {
                None => self.last = ptr::null(),
                // SAFETY: WAIT-1 and WAIT-3, as above.
                Some(next) => next.with_node(|next| unsafe { (*next).previous = ptr::null() }),
            }
            node.word = word(answer);
            node.waker.take()
        })
    }
}
