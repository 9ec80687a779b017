//! What a runtime may be told at its start.

use crate::ring::{RingConfig, Rung};

/// How a runtime starts. The defaults suit a service of some hundred connections.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    pub(super) ring: RingConfig,
    pub(super) spares_per_task: u32,
}

impl Config {
    /// 256 submission entries, four spares a task, the best setup flags that the kernel takes.
    pub const fn new() -> Self {
        Self { ring: RingConfig::new(), spares_per_task: 4 }
    }

    /// Entries of the submission queue; the kernel rounds up to a power of two.
    pub const fn entries(mut self, entries: u32) -> Self {
        self.ring.entries = entries;
        self
    }

    /// Entries of the completion queue; twice the submission queue's by default.
    pub const fn completion_entries(mut self, entries: u32) -> Self {
        self.ring.cq_entries = Some(entries);
        self
    }

    /// How many of the worker's spare slots one task may take when its own are used up.
    pub const fn spares(mut self, per_task: u32) -> Self {
        self.spares_per_task = per_task;
        self
    }

    /// Uses exactly these setup flags, and fails where the kernel refuses them.
    pub const fn rung(mut self, rung: Rung) -> Self {
        self.ring.rung = Some(rung);
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
