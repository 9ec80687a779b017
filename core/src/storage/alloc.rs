//! Who gives memory for bodies, and the error when there is none.

use core::alloc::Layout;
use core::ptr::NonNull;

/// Memory for bodies, by the user: two functions.
///
/// One clone goes with each task, and gives the memory back when the task is released, on whatever thread
/// that is.
///
/// # Safety
/// What `take` returns is valid for the layout, and nobody else's, until `give` with the same pointer and
/// layout, also when the allocator itself is moved or dropped meanwhile while a clone of it lives.
pub unsafe trait BodyAlloc: Clone + Send + 'static {
    /// Memory of that layout, whose size is never zero; none if there is none.
    fn take(&self, layout: Layout) -> Option<NonNull<u8>>;

    /// Takes it back.
    ///
    /// # Safety
    /// `data` is what `take` of a clone of this allocator gave for this layout, and it is given back once.
    unsafe fn give(&self, data: NonNull<u8>, layout: Layout);

    /// Bytes that are left, where that is known: for messages.
    fn left(&self) -> Option<usize> {
        None
    }

    /// Bytes of all of it, where that is known: for memory maps.
    fn size(&self) -> Option<usize> {
        None
    }

    /// Whether it takes no new bodies.
    fn is_sealed(&self) -> bool {
        false
    }

    /// Whether it tells of itself in memory maps.
    fn is_mapped(&self) -> bool {
        false
    }
}

/// Why there was no room for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The arena has too little memory left.
    Memory,
    /// The arena is sealed.
    Sealed,
    /// All headers of the table are in use.
    TableFull {
        /// How many there are.
        tasks: u32,
    },
    /// The body has run already.
    Spent,
    /// This thread is not inside a runtime, or the runtime is closing.
    NoRuntime,
}

/// A task could not be started; its future comes back.
pub struct Exhausted<F> {
    /// The future, untouched.
    pub future: F,
    /// Bytes that its body needs.
    pub needed: usize,
    /// Bytes that were left, where the storage knows.
    pub left: Option<usize>,
    /// Which limit it met.
    pub reason: Reason,
}

impl<F> core::fmt::Debug for Exhausted<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Exhausted({self})")
    }
}

impl<F> core::fmt::Display for Exhausted<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let needed = self.needed;
        match (self.reason, self.left) {
            (Reason::Memory, Some(left)) => write!(
                f,
                "a body of {needed} bytes does not fit: {left} are left in the arena; wait for tasks to end, or \
                 make it larger"
            ),
            (Reason::Memory, None) => write!(f, "the allocator gave no {needed} bytes for a body"),
            (Reason::Sealed, _) => write!(f, "the arena is sealed: a body of {needed} bytes was refused"),
            (Reason::TableFull { tasks }, _) => {
                write!(
                    f,
                    "all {tasks} headers of the task table are in use: wait for tasks to end, or raise `N`"
                )
            }
            (Reason::Spent, _) => f.write_str("this body has run already: a StackBody is spawned once"),
            (Reason::NoRuntime, _) => f.write_str(
                "this thread is not inside an open runtime: spawn from within `block_on`, `enter` or a task",
            ),
        }
    }
}

impl<F> core::error::Error for Exhausted<F> {}
