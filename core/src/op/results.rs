//! Results of a multishot operation, in a bounded static queue.
//!
//! RESULTS-1: the loop's thread pushes, the claimant pops; both under a lock that guards a handful of words
//! and calls nothing. RESULTS-2: a queue is claimed from its multishot's begin until the slot is let go
//! and the handle is gone; a full queue cancels the operation, keeps what it has, and counts what still
//! comes as lost.

use super::error::Error;
use super::handle::{OpHandle, Parts};
use super::keep::{KeepVtable, RawBuf};
use super::slot_kind::SlotKind;
use crate::event_loop::Descriptor;
use crate::file::FileEntry;
use core::future::poll_fn;
use core::task::{Context, Poll};
use spin::mutex::SpinMutex;

const RESULTS_MAX: usize = 32;

/// Room for 32 results. Zeroed memory is an empty queue.
pub struct ResultQueue(SpinMutex<Ring>);

impl core::fmt::Debug for ResultQueue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // A copy first: what is written to is foreign code, and does not run under the lock.
        let len = self.0.lock().len;
        write!(f, "ResultQueue({len} of {RESULTS_MAX})")
    }
}

struct Ring {
    head: u32,
    len: u32,
    /// The handle and the slot; free at zero.
    users: u32,
    lost: u32,
    /// It was full: its operation has been cancelled for that.
    overflowed: bool,
    results: [i32; RESULTS_MAX],
}

impl ResultQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        let results = [0; RESULTS_MAX];
        Self(SpinMutex::new(Ring { head: 0, len: 0, users: 0, lost: 0, overflowed: false, results }))
    }

    /// Results that came when the queue was full.
    pub fn lost(&self) -> u32 {
        self.0.lock().lost
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.lock().len == 0
    }

    /// False when the queue is full; the result is the caller's.
    pub(crate) fn push(&self, result: i32) -> bool {
        let mut ring = self.0.lock();
        if ring.len as usize == RESULTS_MAX {
            ring.lost += 1;
            return false;
        }
        let at = (ring.head + ring.len) as usize % RESULTS_MAX;
        ring.results[at] = result;
        ring.len += 1;
        true
    }

    /// Notes that the queue is full.
    fn overflow(&self) -> bool {
        let mut ring = self.0.lock();
        ring.overflowed |= ring.len as usize == RESULTS_MAX;
        ring.overflowed
    }

    pub(crate) fn pop(&self) -> Option<i32> {
        let mut ring = self.0.lock();
        if ring.len == 0 {
            return None;
        }
        let result = ring.results[ring.head as usize];
        ring.head = (ring.head + 1) % RESULTS_MAX as u32;
        ring.len -= 1;
        Some(result)
    }

    fn join(&self) {
        self.0.lock().users += 1;
    }

    fn claim(&self) -> bool {
        let mut ring = self.0.lock();
        let free = ring.users == 0;
        if free {
            ring.users = 1;
            ring.len = 0;
            ring.overflowed = false;
        }
        free
    }

    /// Whether the operation was cancelled to make room, once.
    fn take_overflow(&self) -> bool {
        core::mem::replace(&mut self.0.lock().overflowed, false)
    }

    fn leave(&self) {
        self.0.lock().users -= 1;
    }
}

impl Default for ResultQueue {
    fn default() -> Self {
        Self::new()
    }
}

static KEEP_RESULTS: KeepVtable = KeepVtable { discard, more };

fn queue_of(raw: RawBuf) -> &'static ResultQueue {
    // SAFETY: RESULTS-2: the parts of a multishot name its static queue.
    unsafe { &*raw.data.cast::<ResultQueue>() }
}

fn more(raw: RawBuf, result: i32, _: Option<&'static FileEntry>) -> bool {
    let queue = queue_of(raw);
    let pushed = queue.push(result);
    !queue.overflow() && pushed
}

fn discard(raw: RawBuf, _: i32, _: Option<&'static FileEntry>) {
    queue_of(raw).leave();
}

/// A multishot operation: one submission, many results.
///
/// # Cancel safety
/// [`next`](Self::next) may be dropped at any time; results wait in the queue. Dropping the `Multishot`
/// cancels the operation; what had come and was not taken is gone.
#[derive(Debug)]
pub struct Multishot {
    handle: OpHandle,
    op: Descriptor,
    queue: &'static ResultQueue,
    begun: bool,
}

// SAFETY: the descriptor names memory that may be used from any thread, by the contract of `new`.
unsafe impl Send for Multishot {}

impl Multishot {
    /// A multishot of `op` into `queue`. None when another one uses the queue.
    ///
    /// # Safety
    /// What `op` names is static, or stays valid until the operation's terminal completion, and `op`
    /// reports results without resources of their own (no descriptors, no buffers).
    pub unsafe fn new(op: Descriptor, queue: &'static ResultQueue) -> Option<Self> {
        queue.claim().then(|| Self { handle: OpHandle::new(), op, queue, begun: false })
    }

    /// The next result. When the queue was full the operation is armed again after it has been drained.
    ///
    /// # Errors
    /// What ended the operation.
    pub async fn next(&mut self) -> Result<u32, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<u32, Error>> {
        loop {
            if let Some(result) = self.queue.pop() {
                return Poll::Ready(Error::check(result));
            }
            if !self.begun {
                let data = core::ptr::from_ref(self.queue).cast_mut().cast();
                let parts = Parts {
                    raw: RawBuf { data, len: 0, capacity: 0 },
                    vtable: &KEEP_RESULTS,
                    file: None,
                    lane: None,
                    kind: SlotKind::Multi,
                };
                // SAFETY: by the contract of `new`.
                unsafe { self.handle.begin(cx, &self.op, Some(parts)) }?;
                self.queue.join();
                self.begun = true;
                return Poll::Pending;
            }
            let Poll::Ready(end) = self.handle.poll_end(cx) else {
                // A result may have come while the waker was left.
                match self.queue.pop() {
                    Some(result) => return Poll::Ready(Error::check(result)),
                    None => return Poll::Pending,
                }
            };
            self.begun = false;
            // Where the slot's task has ended, the slot has left by itself.
            if !matches!(end, Err(Error::TaskEnded)) {
                self.queue.leave();
            }
            let overflowed = self.queue.take_overflow();
            let outcome = end?;
            if outcome.again {
                continue;
            }
            match Error::check(outcome.result) {
                // A cancel that made room.
                Err(Error::Cancelled) if overflowed => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl Drop for Multishot {
    fn drop(&mut self) {
        self.queue.leave();
    }
}
