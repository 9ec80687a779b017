//! The io_uring loop: one ring, used by one thread, that completes op slots.
//!
//! | file | what |
//! |---|---|
//! | `ladder` | sizes, the setup flags from best to plainest, and why a ring is refused |
//! | `ring_loop` | [`RingLoop`]: submit, cancel, close |
//! | `turn` | one turn: enter the kernel at most as often as needed, then reap |
//! | `encode` | a descriptor becomes a submission queue entry |
//! | `params` | memory that the kernel reads while it takes an entry |
//! | `napi` | looking for packets before a sleep |
//! | `handle` | the system call, through a registered descriptor |
//! | `bell` | how another thread wakes a sleeping ring |
//! | `sq_thread` | submissions that a thread of the kernel's takes |
//!
//! # Invariants
//!
//! **RING-1. One thread.** Everything of a [`RingLoop`] is touched by the thread that opened it; the type is
//! neither `Send` nor `Sync`, and the ring is registered with that thread. Others see only its bell, a static.
//!
//! **RING-2. One queue view at a time.** A view of the submission or of the completion queue lives inside one
//! expression or one function, in which nothing is called that makes another view of the same queue. So
//! the views of the `io-uring` crate, which copy head and tail, never disagree. While completions are delivered
//! their view lives on, since a delivery writes slots and at most pushes a cancel; should that enter the kernel,
//! the view has an old tail and takes what is new in its next life.
//!
//! **RING-3. Parameter blocks are taken in turn, as many as the submission queue has places.** One is written
//! only when the queue has room, for the entry that is pushed next. Before its turn comes again as many entries
//! have been pushed as the queue has places, so the kernel has consumed that one, and has copied the block by
//! then (`IORING_FEAT_SUBMIT_STABLE`, required at setup).
//!
//! **RING-4. User data is a token or a tag.** A token's low six bits are zero and it is not zero; tags are the
//! numbers 1 to 63. Completions of tags are swallowed, so every token that reaches the reaper is one that the
//! worker gave, and since the kernel reports each entry to its end, it reaches it as often as the kernel says.
//!
//! **RING-5. What is visible is reaped before anyone sleeps.** A turn sleeps only if the completion queue was
//! empty, the reaper had room, and no ring of the bell is unanswered. An enter that waits first brings what the
//! kernel held back: deferred work, and completions that found no room.
//!
//! **RING-6. The bell is armed before the first sleep,** and again, when its poll has ended, before the next.
//! Its eventfd lives as long as the process, so a late ringer at worst wakes a ring for nothing.
//!
//! **RING-7. The kernel is the only one that ends an operation.** The loop never invents a completion and
//! never forgets an entry that it pushed: an entry that the kernel did not take stays in the queue and goes
//! with the next enter.
//!
//! **RING-8. No heap** between `open` and `close`; also `open` takes its memory from the system directly.
//!
//! **RING-9. A thread of the kernel's is woken behind a full fence,** when the shared page says that it sleeps;
//! see `sq_thread`. It copies parameters before it stores the head, so RING-3 holds as it stands.

mod bell;
mod encode;
mod handle;
mod ladder;
mod napi;
mod params;
mod ring_loop;
mod sq_thread;
mod turn;

pub use ladder::{RingConfig, Rung, SetupError, probe};
pub use napi::Napi;
pub use ring_loop::RingLoop;
#[cfg(feature = "trace")]
pub(crate) use ring_loop::monotonic_ns;
pub use sq_thread::SqThread;
