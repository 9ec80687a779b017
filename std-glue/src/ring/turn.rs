//! One turn: start what is queued, sleep if that is wanted and nothing is there, reap.
//!
//! Most turns are one system call or none. Under the deferred and the cooperative rung finished work becomes
//! visible only inside an enter with GETEVENTS; the kernel sets a flag in the shared page when there is some,
//! so a turn without news costs a few loads.

use core::mem::MaybeUninit;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue};
use unboxed_core::event_loop::{Completion, EventLoop, OpToken, Reaper, Wait};

use super::encode::{self, TAG_BELL, TAG_BITS};
use super::ladder::Rung;
use super::ring_loop::{RingLoop, System};

/// The kernel's internal "restart this call" numbers. They leak, from an interrupted open of a FIFO for one, and
/// mean EINTR.
const RESTART: core::ops::RangeInclusive<i32> = -516..=-512;

/// So many completions are taken at a time, and the memory of all is asked for before the first is delivered.
const AHEAD: usize = 8;

/// What the shared pages say before a turn.
struct Sight {
    queued: usize,
    /// Completions can be reaped.
    visible: bool,
    /// An enter with GETEVENTS would bring more: deferred work, or completions that found no room.
    hidden: bool,
}

impl Sight {
    #[inline]
    fn of(ring: &IoUring) -> Self {
        // SAFETY: RING-2: views of this block only, one of each queue.
        unsafe {
            let queue = ring.submission_shared();
            let hidden = queue.taskrun() || queue.cq_overflow();
            Self { queued: queue.len(), visible: !ring.completion_shared().is_empty(), hidden }
        }
    }
}

impl RingLoop {
    /// [`EventLoop::turn`].
    #[inline]
    pub(super) fn take_turn(&self, wait: Wait, reaper: &mut Reaper<'_>) {
        let Some(system) = self.system() else { return };
        let sight = Sight::of(&system.ring);
        // Hidden work is no reason to stay awake: an enter that waits runs it first, and often it brings nothing.
        let awake = sight.visible || reaper.is_full() || self.rung_early.get();
        if wait == Wait::No || awake {
            // What is visible is taken first; hidden work joins it when an enter is due anyway.
            if self.has_sq_thread() {
                system.prod_if_asleep(sight.queued);
            } else if sight.queued > 0 || (sight.hidden && !sight.visible) {
                system.enter(sight.queued, 0, EnterFlags::GETEVENTS);
            }
        } else {
            self.sleep(system, wait);
        }
        self.reap(system, reaper);
        if wait != Wait::No {
            // Whatever rang up to here has made a turn return that wanted to sleep.
            self.rung_early.set(false);
        }
    }

    /// [`EventLoop::has_news`]: loads of the shared pages. Under the deferred and the cooperative rung the kernel's flag
    /// says that work waits for an enter.
    pub(super) fn shows_news(&self) -> bool {
        let sight = self.system().map(|system| Sight::of(&system.ring));
        sight.is_some_and(|sight| sight.visible || sight.hidden)
    }

    /// [`EventLoop::listen`]. The ring's file is readable while a completion is visible, and a ring of the bell is
    /// one. Not under the deferred rung: there nothing wakes who polls the file until this thread enters.
    pub(super) fn listen_outside(&self) -> bool {
        let Some(system) = self.system().filter(|_| self.rung != Rung::Deferred) else { return false };
        self.arm(system);
        // SAFETY: RING-2: a view of this expression only.
        let queued = unsafe { system.ring.submission_shared() }.len();
        if self.has_sq_thread() {
            system.prod_if_asleep(queued);
        } else if queued > 0 {
            system.enter(queued, 0, EnterFlags::empty());
        }
        let sight = Sight::of(&system.ring);
        // What a thread of the kernel's has not taken yet is as good as taken: it is awake (RING-9).
        let taken = sight.queued == 0 || self.has_sq_thread();
        let quiet = self.armed.get() && taken && !sight.visible && !sight.hidden;
        // A turn that swallowed a ring has not looked at everything that it may have been rung for.
        quiet & !self.rung_early.replace(false)
    }

    fn arm(&self, system: &System) {
        if !self.armed.get() && self.push(system, self.entries, &encode::listen(self.bell)).is_ok() {
            self.armed.set(true);
        }
    }

    /// One enter that starts what is queued and waits for a completion (RING-5, RING-6).
    fn sleep(&self, system: &System, wait: Wait) {
        self.arm(system);
        // SAFETY: RING-2: a view of this expression only.
        let queued = unsafe { system.ring.submission_shared() }.len();
        // Without a bell nobody may sleep: the queue is full and the kernel takes nothing, so reap and retry.
        let want = usize::from(self.armed.get());
        let mut flags = self.sleep_flags;
        if self.has_sq_thread() && queued > 0 {
            flags |= system.prod();
        }
        match wait {
            Wait::Until(deadline) => {
                // Waiting no time at all lets the kernel skip its timer.
                match deadline.saturating_sub(self.now()) {
                    0 => system.enter(queued, 0, flags),
                    left => system.enter_until(queued, want, flags, left),
                }
            }
            _ => system.enter(queued, want, flags),
        }
    }

    /// Takes what is visible, and then what the kernel kept for want of room, until the reaper is full.
    #[inline]
    fn reap(&self, system: &System, reaper: &mut Reaper<'_>) {
        let ring = &system.ring;
        loop {
            while self.reap_some(ring, reaper) {}
            // SAFETY: RING-2: a view of this expression only.
            if reaper.is_full() || !unsafe { ring.submission_shared() }.cq_overflow() {
                return;
            }
            system.enter(0, 0, EnterFlags::GETEVENTS);
            // SAFETY: RING-2: a view of this expression only.
            if unsafe { ring.completion_shared() }.is_empty() {
                return; // The flush was refused; the next turn tries again.
            }
        }
    }

    /// Takes as many as are looked ahead at; false when there were fewer, or the reaper is full.
    #[inline]
    fn reap_some(&self, ring: &IoUring, reaper: &mut Reaper<'_>) -> bool {
        let room = reaper.room().min(AHEAD);
        // SAFETY: RING-2: the only view, and gone before anything is done with the completions; with its end the head is
        // stored.
        let mut queue = unsafe { ring.completion_shared() };
        if queue.len() < 2 {
            let Some(entry) = (if room > 0 { queue.next() } else { None }) else { return false };
            drop(queue);
            self.deliver(&entry, reaper);
            return false;
        }
        let mut entries = [const { MaybeUninit::uninit() }; AHEAD];
        let entries = queue.fill(&mut entries[..room]);
        drop(queue);
        for entry in &*entries {
            if entry.user_data() & TAG_BITS == 0 {
                // SAFETY: RING-4, as in `deliver`.
                unsafe { OpToken::from_user_data(entry.user_data()) }.fetch_ahead();
            }
        }
        for entry in &*entries {
            self.deliver(entry, reaper);
        }
        room > 0 && entries.len() == room
    }

    /// One completion: to the reaper, or swallowed if it is our own (RING-4).
    #[inline]
    fn deliver(&self, entry: &cqueue::Entry, reaper: &mut Reaper<'_>) {
        let (data, flags) = (entry.user_data(), entry.flags());
        if data & TAG_BITS != 0 {
            return self.swallow(data, flags);
        }
        // SAFETY: RING-4: it is no tag, so it is the user data of a token that was submitted here.
        let token = unsafe { OpToken::from_user_data(data) };
        let result = entry.result();
        if cqueue::more(flags) || cqueue::notif(flags) || result <= *RESTART.end() {
            return deliver_unusual(token, flags, result, reaper);
        }
        reaper.complete(token, result, Completion::Last);
    }

    /// Our own entries. Only the bell's says anything; the end of its poll (an overflow, a lack of memory)
    /// means to arm it again before the next sleep.
    #[cold]
    fn swallow(&self, tag: u64, flags: u32) {
        if tag == TAG_BELL {
            self.rung_early.set(true);
            if !cqueue::more(flags) {
                self.armed.set(false);
            }
        }
    }
}

/// One of several completions, or an error beyond the system's own numbers.
#[cold]
fn deliver_unusual(token: OpToken, flags: u32, result: i32, reaper: &mut Reaper<'_>) {
    let kind = match flags {
        flags if cqueue::more(flags) => Completion::More,
        flags if cqueue::notif(flags) => Completion::Notification,
        _ => Completion::Last,
    };
    let result = if RESTART.contains(&result) { -libc::EINTR } else { result };
    reaper.complete(token, result, kind);
}

impl System {
    /// The system call without a timeout.
    #[inline]
    pub(super) fn enter(&self, queued: usize, want: usize, flags: EnterFlags) {
        // SAFETY: the entries' pushers vouched for their memory; no argument.
        if let Err(errno) = unsafe { self.handle.enter(queued, want, flags, core::ptr::null(), 0) } {
            refused(errno);
        }
    }

    /// The system call with a timeout, in nanoseconds.
    fn enter_until(&self, queued: usize, want: usize, flags: EnterFlags, left: u64) {
        let time = Timespec::new().sec(left / 1_000_000_000).nsec((left % 1_000_000_000) as u32);
        let argument = SubmitArgs::new().timespec(&time);
        let (place, size) = ((&raw const argument).cast(), size_of::<SubmitArgs<'_, '_>>());
        let flags = flags | EnterFlags::EXT_ARG;
        // SAFETY: as in `enter`; the argument and the time that it names are locals that outlive the call.
        let entered = unsafe { self.handle.enter(queued, want, flags, place, size) };
        if let Err(errno) = entered {
            refused(errno);
        }
    }
}

/// An enter that brought an error instead of a number. Passing ones need nothing: what was not taken stays in
/// the queue (RING-7), the worker reaps and comes again.
#[cold]
fn refused(errno: i32) {
    match errno {
        // The time is up, a signal came, completions must be reaped first, or memory is short just now.
        libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN | libc::ENOMEM => {}
        libc::EBADR => {
            die("the kernel lost a completion for want of memory (EBADR); its operation would never end")
        }
        libc::EEXIST | libc::EBADF | libc::EINVAL => {
            die("the kernel refused the ring; was it used by another thread than the one that opened it?")
        }
        libc::EOWNERDEAD => die("the kernel's thread that takes submissions has ended (EOWNERDEAD)"),
        _ => die("io_uring_enter failed in a way that retrying does not mend"),
    }
}

/// Says why, without the heap, and ends the process: operations in flight could write into memory that the
/// program believes to be its own.
#[cold]
fn die(why: &str) -> ! {
    for part in ["unboxed: ", why, "\n"] {
        // SAFETY: writes a live string to the standard error.
        unsafe { libc::write(2, part.as_ptr().cast(), part.len()) };
    }
    std::process::abort()
}
