//! The loop: what it owns, and how entries get into its submission queue.

use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomData;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::squeue::{Entry, Flags};
use io_uring::{EnterFlags, IoUring};
use unboxed_core::event_loop::{Descriptor, Doorbell, EventLoop, Full, OpToken, RawFile, Reaper, Wait};

use super::bell::Bell;
use super::encode::{self, Place};
use super::handle::Handle;
use super::ladder::{self, RingConfig, Rung, SetupError};
use super::params::ParamBlocks;

/// One ring. Opened on the thread that uses it, then placed in static storage: nothing points into it, the
/// kernel's part lies in its own pages.
pub struct RingLoop {
    /// `None` after `close`.
    system: UnsafeCell<Option<System>>,
    pub(super) bell: &'static Bell,
    /// Whether the bell's poll is queued or armed (RING-6).
    pub(super) armed: Cell<bool>,
    /// The bell rang in a turn that did not want to sleep; the next one that wants to returns at once.
    pub(super) rung_early: Cell<bool>,
    /// Whether a worker has it.
    attached: Cell<bool>,
    /// Places of the submission queue.
    pub(super) entries: u32,
    /// Places that operations may fill; the rest is for cancels.
    op_limit: u32,
    pub(super) rung: Rung,
    /// Flags of every enter that may sleep.
    pub(super) sleep_flags: EnterFlags,
    /// For entries of our own whose success interests nobody.
    quiet: Flags,
    /// RING-1: neither `Send` nor `Sync`.
    thread: PhantomData<*mut ()>,
}

/// What belongs to the system and goes back at `close`, the ring first.
pub(super) struct System {
    pub(super) ring: IoUring,
    pub(super) handle: Handle,
    params: ParamBlocks,
}

impl core::fmt::Debug for RingLoop {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RingLoop")
            .field("entries", &self.entries)
            .field("rung", &self.rung)
            .finish_non_exhaustive()
    }
}

impl RingLoop {
    /// Sets a ring up for the calling thread, which must be the one that uses it.
    ///
    /// # Errors
    /// [`SetupError`] says why not, and what to do.
    pub fn open(config: RingConfig) -> Result<Self, SetupError> {
        let (ring, rung) = ladder::build(&config)?;
        // The kernel rounded the size up; a queue view tells what it became.
        // SAFETY: RING-2: the only view of a ring that nobody else knows yet.
        let entries = unsafe { ring.submission_shared() }.capacity() as u32;
        if let Some(napi) = config.napi {
            napi.register(&ring)?;
        }
        let params = ParamBlocks::map(entries, config.prefault, config.lock)?;
        let bell = Bell::claim()?;
        bell.note_queues(params.bytes() + queue_bytes(entries as usize, ring.params().cq_entries() as usize));
        // From here on nothing fails, so whatever is claimed or registered is given back by `close`.
        let handle = Handle::new(&ring);
        let sleep_flags = EnterFlags::GETEVENTS | no_iowait(&handle);
        let quiet =
            if ring.params().is_feature_skip_cqe_on_success() { Flags::SKIP_SUCCESS } else { Flags::empty() };
        Ok(Self {
            system: UnsafeCell::new(Some(System { ring, handle, params })),
            bell,
            armed: Cell::new(false),
            rung_early: Cell::new(false),
            attached: Cell::new(false),
            entries,
            op_limit: entries - (entries / 8).max(1),
            rung,
            sleep_flags,
            quiet,
            thread: PhantomData,
        })
    }

    /// The rung that the kernel agreed to.
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// Whether a thread of the kernel's takes the submissions (RING-9).
    #[inline]
    pub(super) fn has_sq_thread(&self) -> bool {
        self.rung == Rung::Polled
    }

    /// Places of the submission queue.
    pub fn entries(&self) -> u32 {
        self.entries
    }

    /// The system's part, unless it is closed.
    #[inline]
    pub(super) fn system(&self) -> Option<&System> {
        // SAFETY: RING-1; only `close` writes, and no reference from here lives in a caller of `close`.
        unsafe { (*self.system.get()).as_ref() }
    }

    /// Pushes `entry` if fewer than `limit` places are taken, after one system call that empties the queue
    /// if need be.
    pub(super) fn push(&self, system: &System, limit: u32, entry: &Entry) -> Result<(), Full> {
        // SAFETY: RING-2: a view of this expression only.
        if unsafe { system.ring.submission_shared() }.len() >= limit as usize {
            self.flush(system, limit)?;
        }
        // SAFETY: RING-2: a view of this block only. The entries that come here name no memory.
        unsafe { system.ring.submission_shared().push(entry) }.map_err(|_| Full)
    }

    /// One enter that starts what is queued. While the kernel keeps completions that found no room, more
    /// operations would only add to them: then the worker has to reap first.
    #[cold]
    fn flush(&self, system: &System, limit: u32) -> Result<(), Full> {
        // SAFETY: RING-2: a view of this block only.
        let (queued, overflow) = unsafe {
            let queue = system.ring.submission_shared();
            (queue.len(), queue.cq_overflow())
        };
        if overflow {
            return Err(Full);
        }
        // With a thread of the kernel's the call wakes it, and waits if no place at all is free; if there is one, but none
        // for an operation, the slot waits for a later turn.
        let flags =
            if self.has_sq_thread() { EnterFlags::SQ_WAIT | system.prod() } else { EnterFlags::empty() };
        system.enter(queued, 0, flags);
        // SAFETY: RING-2: a view of this expression only.
        if unsafe { system.ring.submission_shared() }.len() < limit as usize { Ok(()) } else { Err(Full) }
    }

    /// A place for an operation, unless those are taken.
    ///
    /// # Safety
    /// RING-2: no other view of the queue is made while the place is held.
    #[inline(always)]
    unsafe fn place<'ring>(&self, system: &'ring System, token: OpToken) -> Option<Place<'ring>> {
        // SAFETY: RING-2: by this function's contract.
        let queue = unsafe { system.ring.submission_shared() };
        (queue.len() < self.op_limit as usize).then(|| Place { queue, user_data: token.to_user_data() })
    }

    /// The rare way, out of the common one's registers: a full queue, or an operation that takes more work.
    ///
    /// # Safety
    /// As for [`EventLoop::submit`].
    #[cold]
    unsafe fn submit_with_care(&self, system: &System, token: OpToken, op: &Descriptor) -> Result<(), Full> {
        // SAFETY: RING-2: a view of this expression only.
        if unsafe { system.ring.submission_shared() }.len() >= self.op_limit as usize {
            self.flush(system, self.op_limit)?;
        }
        // SAFETY: the places are views of these expressions only, and free; the caller vouches for the memory.
        let pushed = unsafe {
            self.place(system, token).is_some_and(|place| encode::encode(op, place))
                || self
                    .place(system, token)
                    .is_some_and(|place| encode::encode_larger(op, place, &system.params, self.bell))
        };
        if pushed { Ok(()) } else { Err(Full) }
    }
}

/// Bytes of the pages that a ring of so many entries has in common with the kernel: the submission entries, and
/// both queues' indices with the completions.
fn queue_bytes(submissions: usize, completions: usize) -> usize {
    const PAGE: usize = 4096;
    const HEADS: usize = 64;
    let pages = |bytes: usize| bytes.next_multiple_of(PAGE);
    let queues = HEADS + completions * size_of::<io_uring::cqueue::Entry>() + submissions * size_of::<u32>();
    pages(submissions * size_of::<Entry>()) + pages(queues)
}

/// Whether an enter may say that a sleeping loop is not waiting for a disk (Linux 6.15); else its armed bell
/// looks like a busy one in the system's statistics. The kernel refuses flags that it does not know.
fn no_iowait(handle: &Handle) -> EnterFlags {
    // SAFETY: submits nothing, waits for nothing, and has no argument.
    match unsafe { handle.enter(0, 0, EnterFlags::GETEVENTS | EnterFlags::NO_IOWAIT, core::ptr::null(), 0) } {
        Ok(()) => EnterFlags::NO_IOWAIT,
        Err(_) => EnterFlags::empty(),
    }
}

// SAFETY: RING-4 and RING-7: the kernel ends each accepted operation once, and what it reports reaches the
// reaper unchanged. The memory of the ring itself stays mapped as long as the kernel's side lives in it: the
// kernel holds its own reference. Nothing here calls wakers or user code.
unsafe impl EventLoop for RingLoop {
    fn attach(&self) -> bool {
        // A closed ring stays taken.
        !self.attached.replace(true)
    }

    #[inline]
    unsafe fn submit(&self, token: OpToken, op: &Descriptor) -> Result<(), Full> {
        let Some(system) = self.system() else { return Err(Full) };
        // SAFETY: RING-2: the place is of this expression only. It is free, and the memory that the descriptor names
        // is kept by the caller until the terminal completion.
        if unsafe { self.place(system, token).is_some_and(|place| encode::encode(op, place)) } {
            return Ok(());
        }
        // SAFETY: as above.
        unsafe { self.submit_with_care(system, token, op) }
    }

    fn cancel(&self, token: OpToken) -> Result<(), Full> {
        let Some(system) = self.system() else { return Err(Full) };
        self.push(system, self.entries, &encode::cancel(token.to_user_data(), self.quiet))
    }

    #[inline]
    fn turn(&self, wait: Wait, reaper: &mut Reaper<'_>) {
        self.take_turn(wait, reaper);
    }

    fn listen(&self) -> bool {
        self.listen_outside()
    }

    fn has_news(&self) -> bool {
        self.shows_news()
    }

    #[inline]
    fn now(&self) -> u64 {
        monotonic_ns()
    }

    fn doorbell(&self) -> &'static dyn Doorbell {
        self.bell
    }

    fn close_file(&self, file: RawFile) {
        // Without the quiet flag a close in the queue costs a wake more than it saves.
        if let Some(system) = self.system()
            && !self.quiet.is_empty()
            && self.push(system, self.op_limit, &encode::close(file, self.quiet)).is_ok()
        {
            return;
        }
        // SAFETY: by the trait's contract no operation is in flight on it, and the caller gives it away.
        unsafe { libc::close(file) };
    }

    fn close(&self) {
        // SAFETY: RING-1, and no reference from `system()` lives here.
        let system = unsafe { (*self.system.get()).take() };
        if let Some(system) = system {
            // Queued closes and cancels are still owed.
            // SAFETY: RING-2: a view of this expression only.
            let queued = unsafe { system.ring.submission_shared() }.len();
            if self.has_sq_thread() {
                system.drain_to_thread();
            } else if queued > 0 {
                system.enter(queued, 0, EnterFlags::empty());
            }
            self.bell.release();
            system.handle.release(&system.ring);
        }
    }
}

/// Readable while a turn would bring completions, for a ring set up as
/// [`pollable`](RingConfig::pollable) that [listens](EventLoop::listen). -1 once it is closed.
impl AsRawFd for RingLoop {
    fn as_raw_fd(&self) -> RawFd {
        self.system().map_or(-1, |system| system.ring.as_raw_fd())
    }
}

impl Drop for RingLoop {
    fn drop(&mut self) {
        self.close();
    }
}

/// The clock of all rings.
#[inline]
pub(crate) fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the local. This clock exists on every Linux, so it cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
