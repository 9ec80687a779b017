//! Storage of every kind: where a task's body may lie beside a pool's block.
//!
//! | storage | header and slots | body | for |
//! |---|---|---|---|
//! | `#[task(pool = N)]` | in the block | in the block | one kind of task, known at build time |
//! | [`TaskTable`] and a [`Bump`] or [`Slab`] | in a static table | in a static region, or in static blocks | tasks of many kinds |
//! | [`TaskTable`] and an [`Arena`] | in a static table | in the user's allocator, another crate's, the heap | memory that somebody else manages |
//! | [`TaskTable`] and [`scope`](fn@scope) | in a static table | on the stack of a blocking call | tasks that borrow |
//! | [`TaskTable`] and [`shared_scope`] | in a static table | on the stack of a blocking call | tasks that borrow, on all workers |
//! | [`ForeignTask`] | in a static table | wherever its owner likes | bodies that are not Rust |
//!
//! Headers and slots are always static (R1), so a late wake or a late completion never meets memory that is
//! somebody else's. Bodies are not, so each is given back exactly once: when the task is done and no reference
//! to it is left (STORE-1).

mod alloc;
mod arena;
mod bump;
mod counts;
mod foreign;
#[cfg(feature = "alloc")]
mod heap;
mod live;
mod scope;
mod shared_scope;
mod slab;
mod stack_body;
mod table;

#[cfg(feature = "allocator-api2")]
mod adapter;

#[cfg(feature = "allocator-api2")]
pub use adapter::Adapter;
pub use alloc::{BodyAlloc, Exhausted, Reason};
pub use arena::Arena;
pub use bump::Bump;
pub use counts::{ArenaMemory, InUse};
pub use foreign::{FOREIGN_DONE, FOREIGN_PENDING, ForeignBody, ForeignContext, ForeignTask};
#[cfg(feature = "alloc")]
pub use heap::Heap;
pub use scope::{Scope, ScopeDriver, ScopedHandle, scope};
pub use shared_scope::{SharedHandle, SharedScope, shared_scope};
pub use slab::Slab;
pub use stack_body::StackBody;
pub use table::TaskTable;
