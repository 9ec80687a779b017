//! What completes operations: the trait, its descriptors, and the reaper through which results arrive.
//!
//! A loop is a ring, a thread pool, the [`scripted`] loop of tests, or a user's own. It is used from one
//! thread, its worker's. Nothing above it knows which loop runs.

mod descriptor;
mod reaper;
pub mod scripted;

pub use descriptor::{Address, Descriptor, IO_RANGES_MAX, IoRange, RawFile};
pub use reaper::{Completion, Reaper};

use crate::ahead;
use crate::op::Slot;
use core::num::NonZeroU64;

/// Names one activation of one slot: its address and the low 16 bits of its generation, in the form that
/// fits a ring's user data. Bits 0 to 5 are zero and are the loop's, to tag what is not an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpToken(pub(crate) NonZeroU64);

impl OpToken {
    /// The token as user data.
    pub fn to_user_data(self) -> u64 {
        self.0.get()
    }

    /// Asks for the memory of its slot: for a loop that reports several completions, to all of which it says so
    /// before it reports the first.
    #[inline]
    pub fn fetch_ahead(self) {
        let slot = Slot::address(self);
        ahead::fetch(slot);
        ahead::fetch(slot.wrapping_byte_add(64));
    }

    /// The token back from user data.
    ///
    /// # Safety
    /// `data` came from [`to_user_data`](Self::to_user_data) of a token that this loop was given.
    pub unsafe fn from_user_data(data: u64) -> Self {
        // SAFETY: a token's user data is never zero.
        Self(unsafe { NonZeroU64::new_unchecked(data) })
    }
}

/// The loop has no room now; after its next turn it will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// How long a turn may sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: start what was submitted, take what is there.
    No,
    /// Until something completes or the doorbell rings.
    Forever,
    /// The same, but at most until this moment of the loop's clock, in nanoseconds.
    Until(u64),
}

/// Rings a sleeping worker from another thread.
///
/// # Errors
/// It reports none: a doorbell that cannot be rung is a broken loop.
pub trait Doorbell: Sync {
    /// Makes the current or the next sleeping [`turn`](EventLoop::turn) return.
    fn ring(&self);
}

/// Completes slots.
///
/// # Safety
/// For each accepted operation an implementation reports completions through the [`Reaper`], with
/// exactly one terminal completion, after which nothing touches the memory that the descriptor named. It
/// keeps its own memory valid for as long as the system may use it, also after `close`. It calls nothing
/// foreign (wakers, user code) in `submit`, `cancel` and `turn`. It lets one worker at a time attach.
///
/// A result that is not negative says what a transfer moved: at most the descriptor's `len`, and that many bytes of a
/// read have been written, since its task takes them as initialized.
///
/// [`Reaper::complete`] may call [`cancel`](Self::cancel) (a multishot's queue of results is full) and
/// [`close_file`](Self::close_file) (a connection finds no entry in the file table), in the midst of `turn`: a loop holds no
/// lock and no borrow of a `RefCell` across `complete` that these take.
pub unsafe trait EventLoop {
    /// A worker takes the loop for itself, until [`close`](Self::close). False when one has it.
    fn attach(&self) -> bool;

    /// Starts an operation, at the latest at the next turn.
    ///
    /// # Errors
    /// [`Full`]: nothing was taken; the worker offers it again after a turn.
    ///
    /// # Safety
    /// The memory and the file that `op` names stay valid until its terminal completion (R0, R4).
    unsafe fn submit(&self, token: OpToken, op: &Descriptor) -> Result<(), Full>;

    /// Asks that an accepted operation end soon. It ends through its own terminal completion. May be called from
    /// within [`turn`](Self::turn), by [`Reaper::complete`].
    ///
    /// # Errors
    /// [`Full`]: nothing was taken; the worker asks again after a turn.
    fn cancel(&self, token: OpToken) -> Result<(), Full>;

    /// Starts what was submitted, sleeps as `wait` allows if nothing is there, and reports completions
    /// until there are none or the reaper is full.
    fn turn(&self, wait: Wait, reaper: &mut Reaper<'_>);

    /// The thread is about to sleep outside, until the loop's file, or whatever its port waits for, is ready:
    /// starts what was submitted, and listens, so that from now on each completion and each ring of the doorbell
    /// makes it ready. False when a turn would bring something at once, and always for a loop that nobody can
    /// wait for.
    fn listen(&self) -> bool {
        false
    }

    /// Whether a turn would bring completions, as far as that can be told without a call to the system. False is no
    /// promise. A task that asks whether its time is over, and a worker with urgent tasks, ask often.
    fn has_news(&self) -> bool {
        false
    }

    /// The loop's monotonic clock, in nanoseconds.
    fn now(&self) -> u64;

    /// How other threads wake it.
    fn doorbell(&self) -> &'static dyn Doorbell;

    /// Closes a descriptor on which no operation is in flight. May be done at once or with the next turn. May be
    /// called from within [`turn`](Self::turn), by [`Reaper::complete`].
    fn close_file(&self, file: RawFile);

    /// The worker has drained what would end. What is still in flight may touch its memory for ever.
    fn close(&self);
}
