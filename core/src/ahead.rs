//! Memory that will be needed soon. The kernel's own work between two turns drives a task's lines out of the near
//! caches, so a turn that is told of many completions asks for the lines of all before it needs the first.

/// Asks for the line at `address`, which need not be valid.
#[inline(always)]
pub(crate) fn fetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint; it never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}
