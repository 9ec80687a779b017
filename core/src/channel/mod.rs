//! Channels in the caller's memory: nothing is allocated, those who wait lie in the waiting futures.
//!
//! | I want | |
//! |---|---|
//! | a queue of at most `N` values, for any number of senders and receivers | [`Channel`] |
//! | one value for one receiver, in a place that serves again | [`Oneshot`] |
//! | the latest value, and to be told of changes | [`Watch`] |
//! | to complete an operation from a thread, an interrupt or another loop | [`Completions`](crate::op::Completions) |
//!
//! The type parameter `D` says who contends, as for [`sync`](crate::sync).
//!
//! CHAN-1: the `len` places from `head` on hold values; ring, counts and lists are touched under the raw lock
//! only (WAIT-1), by moves, never by a clone or a drop (WAIT-2). CHAN-2: `aside` values of the ring belong to
//! receivers that were served. CHAN-3: a waiting sender's value lies in its pinned future; while that is in
//! the list, whoever holds the lock may move it out, and serves the sender in the same step.

mod blockable;
mod bounded;
mod error;
mod oneshot;
mod oneshot_recv;
mod recv;
mod ring;
mod send;
mod state;
mod watch;
mod watcher;

pub use bounded::Channel;
pub use error::{RecvError, SendError};
pub use oneshot::{Oneshot, OneshotSender};
pub use oneshot_recv::{OneshotReceiver, OneshotRecv};
pub use recv::{Drain, Receiving, Values};
pub use send::Sending;
pub use watch::Watch;
pub use watcher::{Changed, Watcher};

#[cfg(all(test, loom))]
mod channel_loom;
#[cfg(all(test, loom))]
mod single_loom;
