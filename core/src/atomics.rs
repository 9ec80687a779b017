//! One facade for atomics, so that the lock-free files compile against loom unchanged.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence,
};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence,
};

/// A count that never comes round again within the life of a preempted thread: of 64 bits where the machine
/// has such atomics, which is wherever it has several cores.
#[cfg(all(not(loom), target_has_atomic = "64"))]
pub(crate) type AtomicCount = core::sync::atomic::AtomicU64;
#[cfg(all(not(loom), not(target_has_atomic = "64")))]
pub(crate) type AtomicCount = core::sync::atomic::AtomicU32;
#[cfg(loom)]
pub(crate) type AtomicCount = loom::sync::atomic::AtomicU64;
#[cfg(any(loom, target_has_atomic = "64"))]
pub(crate) type Count = u64;
#[cfg(not(any(loom, target_has_atomic = "64")))]
pub(crate) type Count = u32;

/// A cell with loom's face, so that loom sees each plain access.
#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;

/// A cell with loom's face.
#[cfg(not(loom))]
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// The place, for a shared access.
    #[inline(always)]
    pub fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        access(self.0.get())
    }

    /// The place, for one exclusive access.
    #[inline(always)]
    pub fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}

/// A `const fn`, except under loom, whose atomics cannot be made in a constant.
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$meta])* $vis const fn $($rest)*
        #[cfg(loom)]
        $(#[$meta])* $vis fn $($rest)*
    };
}
pub(crate) use const_unless_loom;

/// A sequentially consistent fence, right behind a read-modify-write of this thread. Where that is itself a full
/// barrier, as every locked instruction of x86 is, the compiler alone has to be told.
#[inline]
pub(crate) fn fence_behind_step() {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    fence(Ordering::SeqCst);
}

/// A release store of a word that others change by read-modify-writes. Whoever's comes first is overwritten, and
/// who comes later has read it: a read-modify-write follows in the word's order what it has read. Loom puts one behind
/// a store that it has not read, so there it is a swap.
#[inline]
pub(crate) fn overwrite(word: &AtomicU32, value: u32) {
    #[cfg(not(loom))]
    word.store(value, Ordering::Release);
    #[cfg(loom)]
    word.swap(value, Ordering::AcqRel);
}

/// Tells the processor that what lies there will be wanted soon; whatever `place` is, nothing else happens.
#[inline(always)]
#[cfg(not(loom))]
pub(crate) fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which faults at no address; each x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Waits a moment inside a bounded spin.
pub(crate) fn relax() {
    #[cfg(not(loom))]
    core::hint::spin_loop();
    #[cfg(loom)]
    loom::thread::yield_now();
}

/// A pointer that is written by one thread at a time, and may be read by another that will find out that it
/// came too late.
#[cfg(not(loom))]
pub(crate) struct SharedPtr<T>(AtomicPtr<T>);

#[cfg(not(loom))]
impl<T> SharedPtr<T> {
    pub const fn null() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    #[inline]
    pub fn get(&self) -> *const T {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub fn set(&self, value: *const T) {
        self.0.store(value.cast_mut(), Ordering::Relaxed);
    }
}

/// What whoever wrote the pointer that was just read from `_place` had done before.
#[cfg(not(tsan))]
#[inline]
pub(crate) fn acquire<T>(_place: &AtomicPtr<T>) {
    fence(Ordering::Acquire);
}

/// The same for ThreadSanitizer, which knows nothing of fences. The others are sequentially consistent ones between
/// words that carry no data.
#[cfg(tsan)]
pub(crate) fn acquire<T>(place: &AtomicPtr<T>) {
    place.load(Ordering::Acquire);
}
