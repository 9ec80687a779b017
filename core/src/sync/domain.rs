//! Who may contend, and the raw lock that follows from it.
//!
//! LOCK-1: between a raw lock's `lock` and the `unlock` with its token no other `lock` of it returns; the next one
//! that does sees what was done before the unlock; neither unwinds.

use super::rest;
use crate::atomics::{AtomicBool, Ordering};
use core::marker::PhantomData;

/// A lock for a few instructions, under which nothing foreign runs, and never another raw lock of this crate's.
///
/// A port defines one where neither spinning nor the feature `critical-section` is right:
///
/// ```
/// # use unboxed_core as unboxed;
/// # fn turn_interrupts_off() -> bool { true }
/// # unsafe fn turn_interrupts_on() {}
/// use unboxed::sync::{Domain, Notify, RawLock, Shared};
///
/// #[derive(Debug, Default)]
/// struct InterruptsOff(());
///
/// // SAFETY: one core; with its interrupts off nobody else runs, and no other lock returns.
/// unsafe impl RawLock for InterruptsOff {
///     const NEW: Self = Self(());
///     type Token = bool;
///
///     fn lock(&self) -> bool {
///         turn_interrupts_off()
///     }
///
///     unsafe fn unlock(&self, were_on: bool) {
///         if were_on {
///             // SAFETY: they were.
///             unsafe { turn_interrupts_on() };
///         }
///     }
/// }
///
/// /// Tasks and interrupts of my one core.
/// struct Mine;
///
/// impl Domain for Mine {
///     type Raw = InterruptsOff;
/// }
///
/// // SAFETY: all who contend are on this core.
/// unsafe impl Shared for Mine {}
///
/// static PRESSED: Notify<Mine> = Notify::with_domain();
/// PRESSED.notify_one();
/// ```
///
/// # Safety
/// Memory safety rests on it (LOCK-1):
/// - Between `lock` and the `unlock` with its token no other `lock` of the same value returns.
/// - A `lock` that returns sees whatever was done before the `unlock` before it, as by acquire and release.
/// - Neither unwinds: a waiter that is dropped could not leave the list.
/// - A value that nobody has locked may be sent to another thread.
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
/// The raw lock's promises hold across threads (and interrupts, where these contend), whether or not its type is
/// `Sync`: whoever says so makes primitives of this domain `Sync`, and their guards and futures `Send`.
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

/// Spins for some microseconds, as what it guards are a few instructions, and then rests as the port says
/// ([`rest_with`](super::rest_with)), as the one who holds it may not be running.
#[derive(Debug, Default)]
pub struct SpinLock(AtomicBool);

impl SpinLock {
    #[inline(always)]
    fn try_lock(&self) -> bool {
        self.0.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    fn lock_contended(&self) {
        loop {
            rest::while_held(|| self.0.load(Ordering::Relaxed));
            if self.try_lock() {
                return;
            }
        }
    }
}

// SAFETY: LOCK-1: the exchange lets one in, and acquires what the last unlock released.
unsafe impl RawLock for SpinLock {
    #[cfg(not(loom))]
    const NEW: Self = Self(AtomicBool::new(false));
    type Token = ();

    #[inline]
    fn lock(&self) {
        if !self.try_lock() {
            self.lock_contended();
        }
    }

    #[inline]
    unsafe fn unlock(&self, (): ()) {
        self.0.store(false, Ordering::Release);
    }
}
