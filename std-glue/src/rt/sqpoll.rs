//! A thread of the kernel's that takes the workers' submissions (SQPOLL), and the processor that it has to itself.
//!
//! One thread serves the rings of all workers: worker 0's ring brings it, the others share it. Its processor is left
//! to it where that is possible: workers that the program has not placed itself stay off it. When it pays is in
//! `docs/sqpoll.md`.

use super::StartError;
use super::cpus::{self, Affinity};
use crate::ring::SqThread;
use std::time::Duration;

/// With so many processors or fewer the thread would take its time from the workers.
const TOO_FEW: usize = 2;

/// Whether a thread of the kernel's takes the submissions of all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SqPoll {
    /// The workers submit, with the system call that they wait in.
    #[default]
    Off,
    /// A thread takes the submissions. A start is refused with [`StartError::SqPoll`] where the process may use two
    /// processors or fewer.
    On {
        /// The processor that the thread is bound to. `None`: the last one that the process may use and that no
        /// worker was given by [`Config::cpus`](super::Config::cpus).
        core: Option<u32>,
        /// How long the thread looks for submissions before it sleeps; in steps of a millisecond, at least one.
        idle: Duration,
    },
    /// The same, on however few processors.
    Forced {
        /// As in [`On`](Self::On).
        core: Option<u32>,
        /// As in [`On`](Self::On).
        idle: Duration,
    },
}

impl SqPoll {
    /// The thread of worker 0's ring, for workers with this affinity.
    ///
    /// # Errors
    /// [`StartError::SqPoll`].
    pub(super) fn thread(self, affinity: &Affinity) -> Result<Option<SqThread>, StartError> {
        let (core, idle) = match self {
            Self::Off => return Ok(None),
            Self::On { .. } if cpus::allowed_count() <= TOO_FEW => {
                return Err(StartError::SqPoll { usable: cpus::allowed_count() });
            }
            Self::On { core, idle } | Self::Forced { core, idle } => (core, idle),
        };
        let cpu = match core {
            None => cpus::last_free(affinity).map_err(StartError::Thread)?,
            named => named,
        };
        let idle_ms = u32::try_from(idle.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX);
        Ok(Some(SqThread { cpu, idle_ms: idle_ms.max(1), shared_with: None }))
    }
}
