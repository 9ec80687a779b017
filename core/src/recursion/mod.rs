//! Recursion without a heap: in a task's own place where it is the last step, in a stack of frames where it
//! is not.
//!
//! | recursion | by | memory |
//! |---|---|---|
//! | a task's last step is itself again | [`tail`](fn@tail), [`Tail`] | the one future, however many rounds |
//! | anywhere in between | [`FrameStack`], [`Frames::call`] | a frame a level, in a static or in the task's bytes |

mod frames;
mod tail;

pub use frames::{Call, DepthExhausted, FrameStack, Frames};
pub use tail::{Tail, TailRec, tail};
