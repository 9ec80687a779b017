//! Bounded spinning: whoever holds a spin lock may be off its core, and may need this one.

#[cfg(not(loom))]
use spin::once::Once;

/// How often a thread looks before it rests; some microseconds.
#[cfg(not(loom))]
const LOOKS: u32 = 100;

#[cfg(not(loom))]
static REST: Once<fn(u32)> = Once::new();

/// Says what a thread does that has spun in vain on a [`SpinLock`](super::SpinLock): `rest` gives the core away, and
/// learns how often this thread has rested already for the same lock, from 0. The first call in a program counts.
///
/// It is for ports with threads that the system may take off their cores, perhaps in favour of one that spins;
/// `unboxed` yields at first, and sleeps when that does not help. Without one a thread spins on. `rest` must not use
/// a primitive of this module.
///
/// ```
/// unboxed_core::sync::rest_with(|_| std::thread::yield_now());
/// ```
#[cfg(not(loom))]
pub fn rest_with(rest: fn(u32)) {
    REST.call_once(|| rest);
}

/// Waits until `held` says no.
#[cfg(not(loom))]
pub(crate) fn while_held(mut held: impl FnMut() -> bool) {
    let (mut looks, mut rests) = (0, 0);
    while held() {
        match REST.get() {
            Some(rest) if looks == LOOKS => {
                rest(rests);
                rests = rests.saturating_add(1);
            }
            _ => {
                looks = LOOKS.min(looks + 1);
                crate::atomics::relax();
            }
        }
    }
}

#[cfg(loom)]
pub(crate) fn while_held(mut held: impl FnMut() -> bool) {
    while held() {
        crate::atomics::relax();
    }
}
