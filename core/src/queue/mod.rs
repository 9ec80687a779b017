//! Queues of tasks and slots. Every link lies in the node, so no queue can be full or grow.

mod inbox;
#[cfg(all(test, loom))]
mod inbox_loom;
#[cfg(not(loom))]
mod injector;
#[cfg(not(loom))]
mod local;
mod steal;
#[cfg(all(test, loom))]
mod steal_loom;

pub use inbox::{Chain, Inbox, InboxClosed, Linked};
#[cfg(not(loom))]
pub(crate) use injector::Injector;
#[cfg(not(loom))]
pub(crate) use local::LocalQueue;
pub use steal::{Least, StealQueue};
