//! A place: its head, which the lock guards, and its body, which holds the closure, then what came of it.

use super::pool::Crew;
use crate::atomics::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr;
use core::task::Waker;

/// See the room's diagram. Zero is FREE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    Free = 0,
    Reserved,
    Queued,
    /// A thread's, or that of one who closes the pool.
    Running,
    /// What it ended with is the holder's.
    Ended(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// An output lies in the body.
    Output,
    /// A panic's payload lies there.
    Panicked,
    /// Nothing lies there any more.
    Cancelled,
    /// The same.
    Closed,
}

/// JOB-1.
pub(super) struct HeadState {
    pub phase: Phase,
    /// Whether there is a [`Job`](super::Job) (JOB-3).
    pub held: bool,
    pub waker: Option<Waker>,
    pub previous: *const Head,
    /// In the queue, or in one of the lists of places without a job.
    pub next: *const Head,
    pub vtable: Option<&'static Vtable>,
}

/// What is known of a place without its size. The body lies right behind it.
#[repr(C, align(16))]
pub(super) struct Head {
    state: UnsafeCell<HeadState>,
    /// Stands for the body where accesses are watched.
    body: UnsafeCell<()>,
}

// SAFETY: JOB-1 and JOB-2; jobs and what comes of them are `Send`.
unsafe impl Sync for Head {}
// SAFETY: as above.
unsafe impl Send for Head {}

impl Head {
    crate::atomics::const_unless_loom! {
        pub fn new() -> Self {
            Self {
                state: UnsafeCell::new(HeadState {
                    phase: Phase::Free,
                    held: false,
                    waker: None,
                    previous: ptr::null(),
                    next: ptr::null(),
                    vtable: None,
                }),
                body: UnsafeCell::new(()),
            }
        }
    }

    /// The head's fields, for a few instructions.
    ///
    /// # Safety
    /// JOB-1: under the lock of this place's pool; not within another call for the same place.
    pub unsafe fn with<R>(&self, f: impl FnOnce(&mut HeadState) -> R) -> R {
        // SAFETY: by this function's contract.
        self.state.with_mut(|state| f(unsafe { &mut *state }))
    }
}

/// A handle to a place: valid for ever, since pools are static.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlaceRef(pub *const Head);

impl PlaceRef {
    pub fn head(self) -> &'static Head {
        // SAFETY: places lie in static pools, of which alone a reference is made.
        unsafe { &*self.0 }
    }

    /// The body, for one access.
    ///
    /// # Safety
    /// JOB-2: it is the caller's.
    pub unsafe fn with_body<R>(self, f: impl FnOnce(*mut u8) -> R) -> R {
        let body = self.0.cast::<u8>().wrapping_add(size_of::<Head>()).cast_mut();
        self.head().body.with_mut(|_| f(body))
    }
}

/// A place of a pool whose jobs have up to `BYTES` bytes.
#[repr(C, align(16))]
pub(super) struct Place<const BYTES: usize> {
    head: Head,
    body: core::cell::UnsafeCell<MaybeUninit<[u8; BYTES]>>,
}

// SAFETY: JOB-2.
unsafe impl<const BYTES: usize> Sync for Place<BYTES> {}

impl<const BYTES: usize> Place<BYTES> {
    crate::atomics::const_unless_loom! {
        pub fn new() -> Self {
            Self { head: Head::new(), body: core::cell::UnsafeCell::new(MaybeUninit::uninit()) }
        }
    }
}

/// What is known of a job whose types are not.
pub(super) struct Vtable {
    /// Runs the closure that lies in the body, and leaves what comes of it there.
    pub run: unsafe fn(*mut u8) -> End,
    /// Drops the closure.
    pub drop_job: unsafe fn(*mut u8),
    /// Drops the output.
    pub drop_output: unsafe fn(*mut u8),
    /// Drops the payload.
    pub drop_payload: unsafe fn(*mut u8),
}

impl Vtable {
    pub const fn of<C: Crew, F: FnOnce() -> T, T>() -> Self {
        Self {
            run: run::<C, F, T>,
            drop_job: drop_as::<F>,
            drop_output: drop_as::<T>,
            drop_payload: drop_as::<C::Payload>,
        }
    }
}

/// # Safety
/// JOB-2, and an `F` lies there.
unsafe fn run<C: Crew, F: FnOnce() -> T, T>(body: *mut u8) -> End {
    // SAFETY: by this function's contract; moved out before anything else is written.
    let job = unsafe { body.cast::<F>().read() };
    match C::catch(job) {
        Ok(output) => {
            // SAFETY: JOB-2; the pool has checked that it fits.
            unsafe { body.cast::<T>().write(output) };
            End::Output
        }
        Err(payload) => {
            // SAFETY: as above.
            unsafe { body.cast::<C::Payload>().write(payload) };
            End::Panicked
        }
    }
}

/// # Safety
/// JOB-2, and a `V` lies there.
unsafe fn drop_as<V>(body: *mut u8) {
    // SAFETY: by this function's contract.
    unsafe { body.cast::<V>().drop_in_place() };
}
