//! What became of a dropped operation of one direction, until the next one has waited for it (FILE-3).
//!
//! LANE-1: `dirty` is written under the state's lock, and says whether the state is anything but `Clear`. A look
//! without the lock that finds it clean comes before, or does not know of, whatever makes it dirty.

use super::uses::Direction;
use crate::atomics::{AtomicBool, Ordering};
use crate::op::WakerCell;
use core::task::{Context, Poll};
use spin::mutex::SpinMutex;

/// The part of a lane that every operation looks at.
#[derive(Debug)]
pub(super) struct LaneMark(AtomicBool);

/// The part that only dropped ones touch.
#[derive(Debug)]
pub(super) struct LaneMemory {
    state: SpinMutex<LaneState>,
    waker: WakerCell,
}

/// With a tag of its own, so that zeros are `Clear`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum LaneState {
    Clear,
    /// Cancelled operations whose terminal completion is still to come, and what those that have ended left.
    Draining(u32, Option<i32>),
    /// What the next operation gets instead.
    Late(i32),
}

impl LaneMark {
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }
}

impl LaneMemory {
    pub const fn new() -> Self {
        Self { state: SpinMutex::new(LaneState::Clear), waker: WakerCell::new() }
    }
}

const CANCELED: i32 = -125;

/// One lane of an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lane<'a> {
    mark: &'a LaneMark,
    memory: &'a LaneMemory,
}

impl<'a> Lane<'a> {
    #[inline]
    pub(super) fn of(marks: &'a [LaneMark; 2], memories: &'a [LaneMemory; 2], direction: Direction) -> Self {
        Self { mark: &marks[direction as usize], memory: &memories[direction as usize] }
    }

    /// LANE-1.
    fn step<R>(self, step: impl FnOnce(&mut LaneState) -> R) -> R {
        let mut state = self.memory.state.lock();
        let answer = step(&mut state);
        self.mark.0.store(*state != LaneState::Clear, Ordering::Release);
        answer
    }

    /// Forgets everything: the entry has a new descriptor.
    pub(super) fn clear(self) {
        self.step(|state| *state = LaneState::Clear);
    }

    /// A read or write of this lane was dropped in flight.
    pub fn drain(self) {
        self.step(|state| {
            *state = match *state {
                LaneState::Draining(n, late) => LaneState::Draining(n + 1, late),
                LaneState::Late(result) => LaneState::Draining(1, Some(result)),
                LaneState::Clear => LaneState::Draining(1, None),
            }
        });
    }

    /// Its terminal completion has come.
    pub fn drained(self, result: i32, keep: bool) {
        self.step(|state| {
            let (n, before) = match *state {
                LaneState::Draining(n, late) => (n, late),
                // A leaked operation, found by its task's end.
                LaneState::Clear => (1, None),
                LaneState::Late(result) => (1, Some(result)),
            };
            let late = match (before, keep && result != CANCELED) {
                (before, false) => before,
                // Bytes of several add up; they come before an end or an error.
                (Some(bytes @ 1..), true) => Some(bytes.saturating_add(result.max(0))),
                (_, true) => Some(result),
            };
            *state = match (n, late) {
                (1, Some(late)) => LaneState::Late(late),
                (1, None) => LaneState::Clear,
                _ => LaneState::Draining(n - 1, late),
            };
        });
        if let Some(waker) = self.memory.waker.take() {
            waker.wake();
        }
    }

    /// Waits until no dropped operation is in flight, and gives what it left.
    #[inline]
    pub fn poll_clear(self, cx: &Context<'_>) -> Poll<Option<i32>> {
        if self.mark.0.load(Ordering::Acquire) { self.poll_dirty(cx) } else { Poll::Ready(None) }
    }

    #[cold]
    fn poll_dirty(self, cx: &Context<'_>) -> Poll<Option<i32>> {
        if let Some(answer) = self.look() {
            return Poll::Ready(answer);
        }
        // One place for a waker: whoever waited there looks again.
        if let Some(old) = self.memory.waker.put(cx.waker().clone())
            && !old.will_wake(cx.waker())
        {
            old.wake();
        }
        self.look().map_or(Poll::Pending, Poll::Ready)
    }

    fn look(self) -> Option<Option<i32>> {
        self.step(|state| match *state {
            LaneState::Clear => Some(None),
            LaneState::Draining(..) => None,
            LaneState::Late(result) => {
                // Bytes that are gone stay an error; an end of file or an error is delivered once.
                if result <= 0 {
                    *state = LaneState::Clear;
                }
                Some(Some(result))
            }
        })
    }
}
