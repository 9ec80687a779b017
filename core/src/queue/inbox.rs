//! The take-all inbox: many threads push, the owner takes everything at once.
//!
//! A Treiber stack without a pop, hence without its ABA problem (R. K. Treiber, "Systems programming:
//! coping with parallelism", 1986). The links lie in the nodes, so it cannot be full.
//!
//! INBOX-1: a node is in at most one inbox; whoever pushes owns its link until the push succeeds, and
//! the owner of the inbox owns it from the take on.
//! INBOX-2: a closed inbox takes nothing more and hands the node back.

use crate::atomics::{AtomicPtr, Ordering, acquire, const_unless_loom};
use core::marker::PhantomData;
use core::ptr;

/// Where a node keeps its link.
///
/// # Safety
/// `link` always answers with the same cell of that node, which no other container uses at the time.
pub unsafe trait Linked {
    /// The cell.
    ///
    /// # Safety
    /// `node` points to a live node.
    unsafe fn link<'a>(node: *const Self) -> &'a AtomicPtr<Self>
    where
        Self: Sized;
}

/// See the module.
#[derive(Debug)]
pub struct Inbox<T> {
    head: AtomicPtr<T>,
    nodes: PhantomData<*const T>,
}

// SAFETY: INBOX-1; the inbox holds pointers to nodes that are themselves shared.
unsafe impl<T: Sync> Sync for Inbox<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Send for Inbox<T> {}

/// The push came too late; the node is the caller's again.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct InboxClosed;

fn closed<T>() -> *mut T {
    ptr::without_provenance_mut(usize::MAX)
}

impl<T: Linked> Inbox<T> {
    const_unless_loom! {
        /// An empty, open inbox.
        pub fn new() -> Self {
            Self { head: AtomicPtr::new(ptr::null_mut()), nodes: PhantomData }
        }
    }

    /// Adds a node from any thread.
    ///
    /// # Safety
    /// `node` stays valid until it is taken, and the caller owns its link (INBOX-1).
    pub unsafe fn push(&self, node: *const T) -> Result<(), InboxClosed> {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            if head == closed() {
                // Whoever is refused may act in the owner's place, and must see what the closer did.
                acquire(&self.head);
                return Err(InboxClosed);
            }
            // SAFETY: INBOX-1, the caller owns the link.
            unsafe { T::link(node) }.store(head, Ordering::Relaxed);
            match self.head.compare_exchange_weak(head, node.cast_mut(), Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(seen) => head = seen,
            }
        }
    }

    /// Whether a take would find nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        let head = self.head.load(Ordering::Acquire);
        head.is_null() || head == closed()
    }

    /// Takes everything, oldest first.
    #[inline]
    pub fn take_all(&self) -> Chain<T> {
        if self.is_empty() {
            return Chain { next: ptr::null_mut() };
        }
        Chain::reversed(self.head.swap(ptr::null_mut(), Ordering::Acquire))
    }

    /// Refuses what comes from now on, and takes what came before.
    pub fn close(&self) -> Chain<T> {
        let head = self.head.swap(closed(), Ordering::AcqRel);
        Chain::reversed(if head == closed() { ptr::null_mut() } else { head })
    }

    /// Opens a closed inbox again.
    pub fn open(&self) {
        let _ = self.head.compare_exchange(closed(), ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed);
    }
}

impl<T: Linked> Default for Inbox<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// What an inbox held; the taker owns every link in it.
#[derive(Debug)]
pub struct Chain<T> {
    next: *mut T,
}

impl<T: Linked> Chain<T> {
    fn reversed(mut node: *mut T) -> Self {
        let mut next = ptr::null_mut();
        while !node.is_null() {
            // SAFETY: INBOX-1, taken nodes are live and their links ours.
            let link = unsafe { T::link(node) };
            let after = link.load(Ordering::Relaxed);
            link.store(next, Ordering::Relaxed);
            next = node;
            node = after;
        }
        Self { next }
    }
}

impl<T: Linked> Iterator for Chain<T> {
    type Item = *const T;

    fn next(&mut self) -> Option<*const T> {
        let node = self.next;
        if node.is_null() {
            return None;
        }
        // The link is read before the node is handed out: its new owner may push it again.
        // SAFETY: INBOX-1.
        self.next = unsafe { T::link(node) }.load(Ordering::Relaxed);
        Some(node)
    }
}
