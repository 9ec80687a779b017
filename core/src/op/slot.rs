//! An op slot: the record of one operation in flight, beside the futures that wait for it (R0).
//!
//! | field | who touches it, when |
//! |---|---|
//! | `state` | submitter (FREE to IN_FLIGHT), loop (to READY or, for an orphan, to FREE), holder (READY to FREE on its own task, to TAKING elsewhere), the ending task (READY to FREE) |
//! | `result`, `flags` | the loop while IN_FLIGHT, the holder after READY |
//! | `waker`, `marks`, `queued`, `link` | the submitter before IN_FLIGHT, then the loop's thread; nobody at another worker, which sends a message instead |
//! | `requests`, `post`, `alt_waker` | a holder on another thread leaves a message, the loop's thread takes it |
//! | `hold` | the ending task and whoever lets the slot go (`hold.rs`) |
//! | `owner`, `worker` | written by the submitter, read by all until FREE |
//! | `index` | written by the submitter, read on the owner's own task |
//! | `body`, `held` | submitter, then the loop's thread, then the holder; or the ending task, once it has claimed the slot |
//!
//! SLOT-1 (R8): one writer at a time. IN_FLIGHT belongs to the loop's thread; its store of READY or FREE
//! (Release) is its last access; READY belongs to whoever takes it: plainly on the owner's own task, which
//! cannot end meanwhile, by compare-and-swap elsewhere.
//! SLOT-2: the generation grows with each free, so a handle of an earlier activation never matches: not within 2^61 of them,
//! or 2^29 on targets without 64-bit atomics.
//! SLOT-3 (R1): slots are `'static` and are never freed, only reused; zeroed memory is a free slot.

use super::hold::Hold;
use super::request::Requests;
use super::slot_kind::{Queued, SharedKind, SlotBody};
use super::waker_cell::WakerCell;
use super::word::{FREE, IN_FLIGHT, STATE_BITS, STATE_MASK, SlotWord, pack, state_of};
use crate::atomics::{AtomicPtr, Count, SharedPtr};
use crate::event_loop::OpToken;
use crate::exec::Worker;
use crate::file::Held;
use crate::queue::Linked;
use crate::task::Header;
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::num::NonZeroU64;
use core::task::Waker;

/// `index` of a slot that is not one of its task's own.
pub(crate) const NO_INDEX: u8 = 0xff;

/// `marks`: a waker lies in the slot.
const HAS_WAKER: u8 = 1;
/// `marks`: the holder is gone.
const ORPHAN: u8 = 2;

/// 128 bytes: a hot line and a cold one.
#[repr(C, align(64))]
pub struct Slot {
    pub(crate) state: SlotWord,
    pub(crate) result: Cell<i32>,
    pub(crate) requests: Requests,
    pub(crate) hold: Hold,
    marks: Cell<u8>,
    pub(crate) kind: SharedKind,
    pub(crate) queued: Cell<Queued>,
    index: Cell<u8>,
    pub(crate) held: Cell<Held>,
    pub(crate) flags: Cell<u8>,
    pub(crate) waker: UnsafeCell<MaybeUninit<Waker>>,
    pub(crate) link: Cell<*const Slot>,
    pub(crate) owner: SharedPtr<Header>,
    pub(crate) worker: SharedPtr<Worker>,
    pub(crate) post: AtomicPtr<Slot>,
    pub(crate) alt_waker: WakerCell,
    pub(crate) body: UnsafeCell<MaybeUninit<SlotBody>>,
}

const _: () = assert!(size_of::<Slot>() == 128);
const _: () = assert!(core::mem::offset_of!(Slot, post) == 64, "the hot line ends before `post`");

// SAFETY: SLOT-1 says who touches which field when.
unsafe impl Sync for Slot {}
// SAFETY: as above.
unsafe impl Send for Slot {}

// SAFETY: `post` is used by the slot inboxes only.
unsafe impl Linked for Slot {
    unsafe fn link<'a>(node: *const Self) -> &'a AtomicPtr<Self> {
        // SAFETY: SLOT-3.
        unsafe { &(*node).post }
    }
}

impl core::fmt::Debug for Slot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let state = self.state.get();
        write!(f, "Slot({:p}, state {}, gen {})", self, state_of(state), state >> STATE_BITS)
    }
}

impl Slot {
    /// A free slot.
    pub const fn new() -> Self {
        Self {
            state: SlotWord::new(),
            result: Cell::new(0),
            flags: Cell::new(0),
            requests: Requests::new(),
            hold: Hold::new(),
            marks: Cell::new(0),
            kind: SharedKind::new(),
            queued: Cell::new(Queued::No),
            index: Cell::new(0),
            held: Cell::new(Held::Counted),
            waker: UnsafeCell::new(MaybeUninit::uninit()),
            link: Cell::new(core::ptr::null()),
            owner: SharedPtr::null(),
            worker: SharedPtr::null(),
            post: AtomicPtr::new(core::ptr::null_mut()),
            alt_waker: WakerCell::new(),
            body: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The state word as its owner sees it.
    #[inline]
    pub(crate) fn word(&self) -> Count {
        self.state.get()
    }

    /// State and generation with an acquire load.
    #[inline]
    pub(crate) fn observe(&self) -> (u32, Count) {
        self.state.observe()
    }

    #[inline]
    pub(crate) fn is_free(&self) -> bool {
        self.observe().0 == FREE
    }

    /// Whether this activation is the loop's.
    pub(crate) fn is_in_flight(&self, generation: Count) -> bool {
        self.state.look() == pack(IN_FLIGHT, generation)
    }

    /// FREE to IN_FLIGHT by the submitter, who owns the free slot; returns the generation.
    #[inline]
    pub(crate) fn begin(
        &self,
        owner: *const Header,
        index: u8,
        worker: *const Worker,
        waker: Waker,
    ) -> Count {
        let word = self.state.get();
        self.result.set(0);
        self.flags.set(0);
        self.marks.set(HAS_WAKER);
        self.hold.reset();
        self.index.set(index);
        self.owner.set(owner);
        self.worker.set(worker);
        // SAFETY: SLOT-1, the submitter owns a free slot; no waker lies in it.
        unsafe { (*self.waker.get()).write(waker) };
        self.state.begin(word);
        word >> STATE_BITS
    }

    /// Which of its task's own slots it is, if it is one, by the submitter's word.
    #[inline]
    pub(crate) fn index(&self) -> u8 {
        self.index.get()
    }

    /// Whether the holder is gone.
    #[inline]
    pub(crate) fn is_orphan(&self) -> bool {
        self.marks.get() & ORPHAN != 0
    }

    /// The holder is gone; on the loop's thread while IN_FLIGHT. False when it was gone before.
    pub(crate) fn set_orphan(&self) -> bool {
        let before = self.marks.replace(self.marks.get() | ORPHAN);
        before & ORPHAN == 0
    }

    /// The waker of an operation that is somebody's, if it has one, by one look; on the loop's thread while
    /// IN_FLIGHT.
    #[inline]
    pub(crate) fn take_holders_waker(&self) -> Option<Waker> {
        (self.marks.get() == HAS_WAKER).then(|| {
            self.marks.set(0);
            // SAFETY: SLOT-1; the mark says that one lies there.
            unsafe { (*self.waker.get()).assume_init_read() }
        })
    }

    /// Moves the waker out; on the loop's thread while IN_FLIGHT.
    #[inline]
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        let marks = self.marks.get();
        if marks & HAS_WAKER == 0 {
            return None;
        }
        self.marks.set(marks & !HAS_WAKER);
        // SAFETY: SLOT-1; the mark says that one lies there.
        Some(unsafe { (*self.waker.get()).assume_init_read() })
    }

    /// Puts a waker in; on the loop's thread while IN_FLIGHT. Returns the one to drop.
    pub(crate) fn put_waker(&self, waker: Waker) -> Option<Waker> {
        let old = self.take_waker();
        // SAFETY: SLOT-1.
        unsafe { (*self.waker.get()).write(waker) };
        self.marks.set(self.marks.get() | HAS_WAKER);
        old
    }

    /// Whether the waker in the slot wakes the same task; on the loop's thread while IN_FLIGHT.
    #[inline]
    pub(crate) fn has_waker_like(&self, waker: &Waker) -> bool {
        // SAFETY: SLOT-1; the mark says that one lies there.
        self.marks.get() & HAS_WAKER != 0 && unsafe { (*self.waker.get()).assume_init_ref() }.will_wake(waker)
    }

    /// The loop's last access in the life of an operation that somebody waits for; `word` is its state word,
    /// IN_FLIGHT, which nobody else writes (SLOT-1).
    #[inline]
    pub(crate) fn set_ready(&self, word: Count) {
        self.state.set_ready(word);
    }

    /// Free with a new generation: the last access of whoever owns the slot now.
    #[inline]
    pub(crate) fn set_free(&self) {
        self.set_free_after(self.word());
    }

    /// The same for an owner who has seen the word.
    #[inline]
    pub(crate) fn set_free_after(&self, word: Count) {
        self.state.set_free_after(word);
    }

    /// Never free again.
    pub(crate) fn set_detached(&self) {
        self.state.set_detached();
    }

    /// READY to TAKING, for a holder that is not on the owner's own task, and for the ending task.
    pub(crate) fn claim(&self, generation: Count) -> bool {
        self.state.claim(generation)
    }

    /// The token of the present activation.
    #[inline]
    pub(crate) fn token(&'static self, generation: Count) -> OpToken {
        let address = core::ptr::from_ref(self).expose_provenance() as u64;
        assert!(address >> 48 == 0, "unboxed: a slot lies above the 48-bit address space");
        // SAFETY: a reference is not null.
        OpToken(unsafe { NonZeroU64::new_unchecked(address | u64::from(generation as u16) << 48) })
    }

    /// Where the slot of a token lies.
    #[inline]
    pub(crate) fn address(token: OpToken) -> *const Slot {
        core::ptr::with_exposed_provenance((token.0.get() & 0xffff_ffff_ffff) as usize)
    }

    /// The slot of a token and its state word, when that is in flight in the activation of the token.
    #[inline]
    pub(crate) fn of_token(token: OpToken) -> Option<(&'static Slot, Count)> {
        let data = token.0.get();
        // SAFETY: SLOT-3; tokens are made from slots only.
        let slot: &'static Slot = unsafe { &*Self::address(token) };
        let word = slot.state.get();
        let expected = pack(IN_FLIGHT, (data >> 48) as Count);
        (word & (STATE_MASK | pack(FREE, 0xffff)) == expected).then_some((slot, word))
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}
