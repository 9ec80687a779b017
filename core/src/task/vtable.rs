//! What the executor knows of a body: three functions, callable from C.

use super::header::Header;

/// The body has not ended.
pub const BODY_PENDING: i32 = 0;
/// The body has ended; nothing of it is left but its output.
pub const BODY_DONE: i32 = 1;

/// A task's kind. `poll` and `stop` run on the task's thread while RUNNING; `release` runs anywhere.
#[repr(C)]
#[derive(Debug)]
pub struct TaskVtable {
    /// Polls the body: [`BODY_PENDING`], or [`BODY_DONE`] with the output written.
    pub(crate) poll: unsafe extern "C-unwind" fn(*const Header) -> i32,
    /// Stops the body. [`BODY_PENDING`] asks to be called again at a later start, instead of `poll`.
    pub(crate) stop: unsafe extern "C-unwind" fn(*const Header) -> i32,
    /// Drops the output that nobody took.
    pub(crate) drop_output: unsafe extern "C-unwind" fn(*const Header),
    /// Gives the memory back, exactly once an activation.
    pub(crate) release: unsafe extern "C-unwind" fn(*const Header),
    /// Where the body lies in the block, if it lies there: a turn asks for its memory ahead.
    pub(crate) body: u32,
    /// How many slots lie behind the bookkeeping.
    pub(crate) slots: u32,
    /// How many bytes of the task's own lie behind the slots.
    pub(crate) bytes: u32,
    /// The `busy` of a task with no slot taken: the bits of slots that it does not have (TASK-4).
    pub(crate) busy: u64,
    /// The storage's own: for a pool's block, its pool.
    pub(crate) context: *const (),
    /// For messages.
    pub(crate) name: &'static str,
}

/// The bits of the slots that a task with so many does not have.
pub(crate) const fn busy_beyond(slots: usize) -> u64 {
    if slots < 64 { u64::MAX << slots } else { 0 }
}

// SAFETY: `context` points to a static that may be used from any thread.
unsafe impl Sync for TaskVtable {}
// SAFETY: as above.
unsafe impl Send for TaskVtable {}
