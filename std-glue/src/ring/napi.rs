//! Busy polling of the network's queues (NAPI): before the ring's thread sleeps, the kernel looks for packets itself
//! instead of waiting for the card's interrupt. It knows the queues from the sockets that the ring has used; loopback
//! has none.

use super::ladder::SetupError;
use io_uring::IoUring;

/// How long, and whether interrupts are put off meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Napi {
    /// So many microseconds of each sleep, at most.
    pub time_us: u32,
    /// The card's interrupts stay off while somebody polls, as far as the card is set up for that
    /// (`napi_defer_hard_irqs`, `gro_flush_timeout`).
    pub prefer: bool,
}

impl Napi {
    /// Asks the kernel for it (Linux 6.9).
    pub(super) fn register(self, ring: &IoUring) -> Result<(), SetupError> {
        let napi = io_uring::types::Napi::new();
        let mut napi = napi.set_busy_poll_timeout(self.time_us).set_prefer_busy_poll(self.prefer);
        let done = ring.submitter().register_napi(&mut napi);
        done.map_err(|error| SetupError::NoNapi(error.raw_os_error().unwrap_or(0)))
    }
}
