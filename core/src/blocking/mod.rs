//! Jobs for threads that may block: a fixed number of places, a queue through them, and the futures that wait.
//!
//! A job, that is its closure, then its output or its panic, lies in a place of a static [`JobPool`]. Nothing that a
//! thread reaches lies in a future or in a task's block (R0): a running job cannot be taken back, so it must not pin
//! what its task needs. The [`Job`] is a handle to the place and may be dropped, leaked and moved at any moment.
//! Threads are the port's, through [`Crew`]; here they are whoever calls [`Seat::step`].
//!
//! ```text
//!         reserve            submit           a thread takes it            it ends, held
//!  FREE ----------> RESERVED -------> QUEUED ------------------> RUNNING ----------------> ENDED ---> FREE
//!                                       |                          |                 the holder takes
//!                                       | cancel, or a drop        | it ends, nobody holds it
//!                                       v                          v
//!                                     FREE                        FREE
//! ```
//!
//! JOB-1: the pool's state and the places' heads are touched under the pool's lock only; no foreign code (a job, a
//! waker's clone, wake or drop, an output's drop) runs under it. JOB-2: a body belongs to the submitter while
//! RESERVED, to nobody while QUEUED, to whoever took the place out of the queue while RUNNING, to the holder while
//! ENDED. Each of these steps is made under the lock by one who has looked at the phase in the same hold of it.
//! JOB-3: a place has at most one [`Job`], which is `held`; it is freed by that, or, once it is gone, by whoever
//! owns the body. So no place is free while a thread runs in it. JOB-4: a thread counts itself as sleeping in the
//! same hold of the lock in which it found the queue empty, and a submitter looks at that count in the hold in which
//! it queues; so a job is never queued beside a sleeper that nobody calls. JOB-5: nothing is queued in a closed pool.

mod error;
mod job;
mod place;
mod pool;
mod reserve;
mod run;
mod state;

#[cfg(all(test, loom))]
mod blocking_loom;

pub use error::{JobError, PoolClosed, Rejected, Why};
pub use job::{IfRunning, Job};
pub use pool::{Crew, JobPool};
pub use reserve::{Reserve, Reserved};
pub use run::{Seat, Step};
