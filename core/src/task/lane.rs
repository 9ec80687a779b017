//! Which tasks are started first.

use super::state;

/// The lane of a task: which ready task a worker starts next. A lane waits for the ones above it, but not for
/// ever: see [`waits_max`](Self::waits_max).
///
/// ```text
/// #[unboxed::task(lane = "urgent")]
/// async fn controls() { ... }
/// ```
///
/// ```
/// use unboxed_core::task::Lane;
/// assert_eq!(Lane::default(), Lane::Normal);
/// assert!(Lane::Urgent.waits_max() < Lane::Background.waits_max());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Lane {
    /// Before all others. Such a task stays on the worker on which it was spawned, and nobody steals it. A worker that
    /// has had one looks at its loop more often while it runs the others.
    Urgent,
    /// What is not said to be anything else.
    #[default]
    Normal,
    /// When there is nothing else to do, on any worker, unless the task is local.
    Background,
}

impl Lane {
    /// What publish is told.
    pub(crate) const fn kind(self, pinned: bool) -> u32 {
        match (self, pinned) {
            (Self::Urgent, _) => state::URGENT,
            (Self::Normal, true) => state::PINNED,
            (Self::Normal, false) => 0,
            (Self::Background, true) => state::BACKGROUND_PINNED,
            (Self::Background, false) => state::BACKGROUND,
        }
    }

    /// The lane of a task with this word.
    pub(crate) const fn of(word: u32) -> Self {
        match word & state::KIND {
            state::URGENT => Self::Urgent,
            state::BACKGROUND | state::BACKGROUND_PINNED => Self::Background,
            _ => Self::Normal,
        }
    }
}
