//! Locks and channels that know what they guard: one wait list under all, one type parameter for who contends.
//!
//! | domain | who may contend | what it costs |
//! |---|---|---|
//! | [`Local`] | tasks of one thread; the primitive is not `Sync` | no atomics |
//! | [`Tasks`], the default | all tasks | one short spin lock an operation |
//! | [`Threads`] | tasks, and plain threads, which block | as `Tasks` |
//! | `Interrupts`, with the feature `critical-section` | tasks and interrupts | interrupts are off meanwhile |
//!
//! | I want | |
//! |---|---|
//! | one user at a time of a value that is held across `.await` | [`Mutex`] |
//! | many readers, or one writer, of a value that is held across `.await` | [`RwLock`] |
//! | at most so many at a time | [`Semaphore`] |
//! | to say that something happened, to one or to all | [`Notify`] |
//! | a value that is made once, by an async function, by whoever comes first | [`OnceCell`] |
//! | a plain thread that waits for any of these | the domain [`Threads`], and `unboxed::sync::Blocking` |
//! | an interrupt that tells a task, or releases what it waits for | the domain `Interrupts` |
//! | a domain of my own, with a raw lock of my port | [`Domain`], [`RawLock`] |
//!
//! Every primitive is `const`, lies where the user puts it, and allocates nothing: those who wait lie in the
//! waiting futures. Waiters are served first come, first served, and what they waited for is handed over to
//! them, so nobody overtakes. A future that is dropped leaves the list; if it was served already, it passes
//! on what it got.
//!
//! WAIT-1: state, list and the waiters' nodes are touched under the raw lock only. WAIT-2: no foreign code (a
//! waker's clone, wake or drop, a value's drop) runs under it. WAIT-3: a node in the list lies in a pinned
//! future, whose drop unlinks it; it is linked in `poll` only. WAIT-4: who takes a node off the list takes its
//! waker at the same time, and does not touch the node after the unlock. WAIT-5: a node is written when its waiter comes to wait, and looked
//! at only while that waits; what is left in it has no waker.
//!
//! WAIT-3 stands on `Pin`'s promise that a pinned value is dropped before its memory is used again. The kernel
//! never sees these nodes, so operations do not stand on it.

mod blockable;
mod domain;
mod guarded;
#[cfg(feature = "critical-section")]
mod interrupts;
mod leave;
mod list;
pub(crate) mod plain;
mod waiter;

mod mutex;
mod notify;
mod once_cell;
mod once_turn;
mod parking;
mod permit;
mod rest;
mod rwlock;
mod semaphore;

pub use blockable::Blockable;
pub use domain::{Domain, Local, RawLock, Shared, SpinLock, Tasks, Threads, Unlocked};
pub(crate) use guarded::{Guarded, Inner};
pub(crate) use leave::Left;
pub(crate) use list::List;
pub(crate) use waiter::Waiter;

#[cfg(feature = "critical-section")]
pub use interrupts::{CriticalSection, Interrupts};
pub use mutex::{Lock, Mutex, MutexGuard};
pub use notify::{Notified, Notify};
pub use once_cell::{OnceCell, SetError};
pub use once_turn::{TakeTurn, Turn};
pub use parking::ParkingWord;
pub use permit::{Closed, Permit, TryAcquireError};
#[cfg(not(loom))]
pub use rest::rest_with;
#[cfg(not(loom))]
pub(crate) use rest::while_held as rest_while;
pub use rwlock::{Read, RwLock, RwLockReadGuard, RwLockWriteGuard, Write};
pub use semaphore::{Acquire, Semaphore};

#[cfg(all(test, loom))]
mod mutex_loom;
#[cfg(all(test, loom))]
mod waiter_loom;
