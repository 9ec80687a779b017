//! For targets on which interrupts contend, so that spinning would never end.

use super::domain::{Domain, RawLock, Shared};

/// Tasks and interrupts: the raw lock is the `critical-section` crate's, which the program's port provides.
///
/// An interrupt may release permits, notify, send, complete, or try; it cannot await. A handler is not the worker that it
/// interrupted: while one runs, the port's cell of the current worker must be null
/// ([`current_worker_cell!`](crate::current_worker_cell)), so that a wake takes the way from another thread.
///
/// ```
/// # use unboxed_core as unboxed;
/// use unboxed::sync::{Interrupts, Notify};
///
/// static PRESSED: Notify<Interrupts> = Notify::with_domain();
///
/// fn on_interrupt() {
///     PRESSED.notify_one();
/// }
///
/// async fn blink() {
///     loop {
///         PRESSED.notified().await;
///     }
/// }
/// # use critical_section as _;
/// # let _ = (on_interrupt, blink());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Interrupts;

impl Domain for Interrupts {
    type Raw = CriticalSection;
}

// SAFETY: LOCK-1, as the `critical-section` crate promises.
unsafe impl Shared for Interrupts {}

/// The raw lock of [`Interrupts`]; all its values are one lock.
#[derive(Debug, Default)]
pub struct CriticalSection(());

// SAFETY: LOCK-1, as the `critical-section` crate promises: between acquire and release nobody else acquires. It may be
// nested by the same context, but nothing foreign runs under it (WAIT-2), so the lock is never asked for twice.
unsafe impl RawLock for CriticalSection {
    #[cfg(not(loom))]
    const NEW: Self = Self(());
    type Token = critical_section::RestoreState;

    #[inline]
    fn lock(&self) -> Self::Token {
        // SAFETY: LOCK-1: released by `unlock` with this state, in the reverse order: `Guarded` locks around a few
        // instructions of ours, and never one within another (WAIT-2).
        unsafe { critical_section::acquire() }
    }

    #[inline]
    unsafe fn unlock(&self, token: Self::Token) {
        // SAFETY: LOCK-1: the caller's promise.
        unsafe { critical_section::release(token) };
    }
}
