//! A sleep outside of the turn: the thread belongs to another loop, which sleeps until our file is readable.
//!
//! ```text
//!  turn ... turn -> prepare_to_sleep -> the other loop sleeps -> turn
//!                   submit, listen,     who pushes rings:        the sleep
//!                   announce, look      the file is readable     has ended
//! ```
//!
//! REST-1: while `resting` is set the parker says SLEEPING, or who took that has rung; the next turn, close or
//! announcement ends it first. The loop listens to its bell before the announcement, so the ring of whoever sees
//! that makes the file readable (PARK-1).

use super::current::Entered;
use super::worker::Worker;
use crate::event_loop::Wait;

impl Worker {
    /// See [`Executor::prepare_to_sleep`](super::Executor::prepare_to_sleep).
    pub(crate) fn prepare_to_sleep(&'static self) -> Wait {
        let _entered = Entered::new(self);
        self.end_rest();
        if !self.event_loop().listen() {
            return Wait::No;
        }
        let wait = self.wait(true, None);
        self.resting.set(wait != Wait::No);
        wait
    }

    /// The thread is back.
    #[inline]
    pub(crate) fn end_rest(&self) {
        if self.resting.get() {
            self.resting.set(false);
            self.wake_up();
        }
    }

    /// Something may be put into the owner's own lists, for which nobody rings.
    pub(crate) fn disturb_rest(&self) {
        if self.resting.get() {
            self.ring_bell();
        }
    }
}
