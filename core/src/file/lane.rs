//! What became of a dropped operation of one direction, until the next one has waited for it (FILE-3).
//!
//! LANE-1: `dirty` is written under the lock of the lanes' memory, and says whether the state is anything but clear. A
//! look without the lock that finds it clean comes before, or does not know of, whatever makes it dirty.

use super::entry::FileEntry;
use super::uses::Direction;
use crate::atomics::{AtomicBool, Ordering};
use crate::op::WakerCell;
use core::task::{Context, Poll};
use spin::mutex::SpinMutex;

/// The part of a lane that every operation looks at.
#[derive(Debug)]
pub(super) struct LaneMark(AtomicBool);

/// The part of both lanes that only dropped operations touch, beside the entry (FILE-6): under one lock.
#[derive(Debug)]
pub(super) struct LaneMemory {
    states: SpinMutex<LaneStates>,
    wakers: [WakerCell; 2],
}

/// The states field by field, which leaves no holes. Zeros are clear.
#[derive(Debug)]
struct LaneStates {
    draining: [u32; 2],
    late: [i32; 2],
    is_late: [bool; 2],
}

/// Clear, when there is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LaneState {
    /// Cancelled operations whose terminal completion is still to come.
    draining: u32,
    /// What those that have ended left: with none draining, what the next operation gets instead.
    late: Option<i32>,
}

impl LaneState {
    const CLEAR: Self = Self { draining: 0, late: None };
}

impl LaneMark {
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }
}

impl LaneMemory {
    pub const fn new() -> Self {
        let states = LaneStates { draining: [0; 2], late: [0; 2], is_late: [false; 2] };
        Self { states: SpinMutex::new(states), wakers: [WakerCell::new(), WakerCell::new()] }
    }
}

const CANCELED: i32 = -125;

/// One lane of an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lane<'a> {
    mark: &'a LaneMark,
    entry: &'a FileEntry,
    direction: Direction,
}

impl<'a> Lane<'a> {
    #[inline]
    pub(super) fn of(mark: &'a LaneMark, entry: &'a FileEntry, direction: Direction) -> Self {
        Self { mark, entry, direction }
    }

    /// LANE-1.
    fn step<R>(self, step: impl FnOnce(&mut LaneState) -> R) -> R {
        let index = self.direction as usize;
        let mut states = self.entry.lanes().states.lock();
        let late = states.is_late[index].then_some(states.late[index]);
        let mut state = LaneState { draining: states.draining[index], late };
        let answer = step(&mut state);
        states.draining[index] = state.draining;
        states.is_late[index] = state.late.is_some();
        states.late[index] = state.late.unwrap_or(0);
        self.mark.0.store(state != LaneState::CLEAR, Ordering::Release);
        answer
    }

    fn waker(self) -> &'static WakerCell {
        &self.entry.lanes().wakers[self.direction as usize]
    }

    /// Forgets everything: the entry has a new descriptor, and nobody uses it yet.
    pub(super) fn clear(self) {
        // LANE-1: a clean lane's memory is clear, and stays untouched (FILE-6).
        if self.mark.0.load(Ordering::Acquire) {
            self.step(|state| *state = LaneState::CLEAR);
        }
    }

    /// A read or write of this lane was dropped in flight.
    pub fn drain(self) {
        self.step(|state| state.draining += 1);
    }

    /// Its terminal completion has come.
    pub fn drained(self, result: i32, keep: bool) {
        self.step(|state| {
            state.late = match (state.late, keep && result != CANCELED) {
                (before, false) => before,
                // Bytes of several add up; they come before an end or an error.
                (Some(bytes @ 1..), true) => Some(bytes.saturating_add(result.max(0))),
                (_, true) => Some(result),
            };
            // A leaked operation, found by its task's end, was not counted.
            state.draining = state.draining.saturating_sub(1);
        });
        if let Some(waker) = self.waker().take() {
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
        if let Some(old) = self.waker().put(cx.waker().clone())
            && !old.will_wake(cx.waker())
        {
            old.wake();
        }
        self.look().map_or(Poll::Pending, Poll::Ready)
    }

    fn look(self) -> Option<Option<i32>> {
        self.step(|state| match state.late {
            _ if state.draining != 0 => None,
            // Bytes that are gone stay an error; an end of file or an error is delivered once.
            Some(..=0) => Some(state.late.take()),
            late => Some(late),
        })
    }
}
