//! Who may contend, and the raw lock that follows from it.
//!
//! LOCK-1: between a raw lock's `lock` and the `unlock` with its token no other `lock` of it returns.

use crate::atomics::{AtomicBool, Ordering, relax};
use core::marker::PhantomData;

/// A lock for a few instructions, under which nothing foreign runs.
///
/// # Safety
/// Between `lock` and the `unlock` with its token no other `lock` of the same value returns (LOCK-1). A value that
/// nobody has locked may be sent to another thread.
pub unsafe trait RawLock: Default {
    /// Unlocked.
    #[cfg(not(loom))]
    const NEW: Self;

    /// What `lock` leaves for `unlock`: a saved interrupt state, or nothing.
    type Token;

    /// Waits until it is the caller's.
    fn lock(&self) -> Self::Token;

    /// Gives it back.
    ///
    /// # Safety
    /// `token` is what the caller's own `lock` gave.
    unsafe fn unlock(&self, token: Self::Token);
}

/// Who may contend for a primitive.
///
/// A port whose interrupts contend defines its own: a raw lock that turns them off, and a domain that names it.
pub trait Domain: 'static {
    /// What guards the wait list.
    type Raw: RawLock;
}

/// A domain whose primitives may be shared by threads.
///
/// # Safety
/// The raw lock holds across threads (and interrupts, where these contend).
#[diagnostic::on_unimplemented(
    message = "a primitive of the domain `{Self}` stays on its thread, and so do its guards and futures",
    note = "name a domain that is shared, such as `Tasks`, the default"
)]
pub unsafe trait Shared: Domain {}

/// Tasks of one thread. A primitive of this domain is not `Sync`, and needs no atomics.
#[derive(Debug, Clone, Copy)]
pub struct Local;

/// All tasks, whatever worker runs them.
#[derive(Debug, Clone, Copy)]
pub struct Tasks;

/// All tasks and plain threads.
#[derive(Debug, Clone, Copy)]
pub struct Threads;

impl Domain for Local {
    type Raw = Unlocked;
}

impl Domain for Tasks {
    type Raw = SpinLock;
}

impl Domain for Threads {
    type Raw = SpinLock;
}

// SAFETY: LOCK-1: a spin lock holds across threads.
unsafe impl Shared for Tasks {}
// SAFETY: as above.
unsafe impl Shared for Threads {}

/// No lock, for one thread: nothing foreign runs while it is held, so it is never asked for twice.
#[derive(Debug, Default)]
pub struct Unlocked(PhantomData<*mut ()>);

// SAFETY: it is neither Send nor Sync, so one thread uses it, and WAIT-2 keeps that one from coming back.
unsafe impl RawLock for Unlocked {
    #[cfg(not(loom))]
    const NEW: Self = Self(PhantomData);
    type Token = ();

    #[inline(always)]
    fn lock(&self) {}

    #[inline(always)]
    unsafe fn unlock(&self, (): ()) {}
}

/// Spins; what it guards are a few instructions.
#[derive(Debug, Default)]
pub struct SpinLock(AtomicBool);

// SAFETY: LOCK-1: the exchange lets one in, and acquires what the last unlock released.
unsafe impl RawLock for SpinLock {
    #[cfg(not(loom))]
    const NEW: Self = Self(AtomicBool::new(false));
    type Token = ();

    #[inline]
    fn lock(&self) {
        while self.0.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            while self.0.load(Ordering::Relaxed) {
                relax();
            }
        }
    }

    #[inline]
    unsafe fn unlock(&self, (): ()) {
        self.0.store(false, Ordering::Release);
    }
}
