//! One worker on its thread: the executor, and the ring that it runs over.

use crate::ring::{RingConfig, RingLoop};
use std::cell::UnsafeCell;
use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::time::Duration;
use unboxed_core::event_loop::EventLoop;
use unboxed_core::exec::{CloseReport, Executor};

use super::StartError;

/// Where a worker's ring lies (RT-1).
pub(super) struct RingPlace(UnsafeCell<MaybeUninit<RingLoop>>);

impl fmt::Debug for RingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RingPlace")
    }
}

// SAFETY: RT-1 and RT-2.
unsafe impl Sync for RingPlace {}

impl RingPlace {
    pub const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Opens the ring here, and starts a worker over it.
    ///
    /// # Safety
    /// RT-1: the place is the caller's, and nothing lies in it.
    pub unsafe fn seat(
        &'static self,
        config: RingConfig,
        start: impl FnOnce(&'static dyn EventLoop) -> Result<Executor, unboxed_core::exec::StartError>,
    ) -> Result<Seat, StartError> {
        let ring = RingLoop::open(config).map_err(StartError::Ring)?;
        // SAFETY: by this function's contract.
        let ring: &'static RingLoop = unsafe { (*self.0.get()).write(ring) };
        match start(ring) {
            Ok(executor) => {
                Ok(Seat { executor: ManuallyDrop::new(executor), ring: self.0.get().cast(), closed: false })
            }
            Err(_) => {
                // SAFETY: RT-1: the worker did not take the loop, and nothing was submitted.
                unsafe { self.0.get().cast::<RingLoop>().drop_in_place() };
                Err(StartError::InUse)
            }
        }
    }
}

/// See the module. Forgotten, it leaves its ring where it is.
#[derive(Debug)]
pub(super) struct Seat {
    pub executor: ManuallyDrop<Executor>,
    ring: *mut RingLoop,
    closed: bool,
}

impl Seat {
    /// The ring; for a seat that is not closed.
    pub fn ring(&self) -> &RingLoop {
        assert!(!self.closed, "unboxed: this runtime is closed");
        // SAFETY: RT-1: it lies there until the close, and is only read here.
        unsafe { &*self.ring }
    }

    /// The ring's clock, in nanoseconds.
    pub fn now(&self) -> u64 {
        self.ring().now()
    }

    /// Closes the worker, once; what comes later does nothing.
    pub fn close(&mut self, timeout: Duration) -> Option<CloseReport> {
        if std::mem::replace(&mut self.closed, true) {
            return None;
        }
        // SAFETY: once, by `closed`. When a body's drop panics below, the executor's own drop goes on closing.
        let executor = unsafe { ManuallyDrop::take(&mut self.executor) };
        let report = executor.close(nanos(timeout));
        if report.detached == 0 {
            // SAFETY: RT-1: the worker has let the loop go, and the kernel holds nothing.
            unsafe { self.ring.drop_in_place() };
        }
        Some(report)
    }
}

/// As many nanoseconds, at most all that there are.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
