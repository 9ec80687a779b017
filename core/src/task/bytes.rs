//! A task's own bytes, in its block, and whether an operation holds them.
//!
//! BYTES-1 (R3): the bytes lie in the block, which a slot in flight pins, and only operations of the same
//! task may borrow them, so the kernel never writes into a block that has another owner. BYTES-2: they are
//! reached through a raw pointer; a slice exists only while no operation that was lent them is in flight.
//! BYTES-3: a part knows the slot and the generation that it was last lent to; both halves of a split
//! inherit the mark. BYTES-4: the token gives its bytes out once at a time, by borrowing itself. BYTES-5: the bytes lie right
//! behind the task's slots, and its vtable knows how many they are; so a token is one word.

use super::block::block_overhead;
use super::header::TaskRef;
use crate::exec::current;
use crate::op::{Error, Slot, SlotRef};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// The right to a task's bytes, given to its body when it is built.
#[derive(Debug)]
pub struct BytesToken(TaskRef);

impl BytesToken {
    /// # Safety
    /// The bytes of the claimed block `task` are reached through this token alone, for the life of the activation, and
    /// only its body has it.
    pub(crate) unsafe fn new(task: TaskRef) -> Self {
        Self(task)
    }

    /// The bytes, for as long as the token is borrowed.
    pub fn lend(&mut self) -> Bytes<'_> {
        let task = self.0;
        // A body that runs has been published, and with it the vtable.
        let vtable = task.vtable();
        let data = task.0.cast::<u8>().wrapping_add(block_overhead(vtable.slots as usize)).cast_mut();
        Bytes { task, data, len: vtable.bytes, lent: Mark::NONE, token: PhantomData }
    }
}

/// Bytes of the running task's block; see the module.
#[derive(Debug)]
pub struct Bytes<'t> {
    task: TaskRef,
    data: *mut u8,
    len: u32,
    lent: Mark,
    token: PhantomData<&'t mut [u8]>,
}

// SAFETY: BYTES-1: an operation checks the task; plain access follows the borrow rules.
unsafe impl Send for Bytes<'_> {}
// SAFETY: shared access only reads.
unsafe impl Sync for Bytes<'_> {}

/// The slot and the generation that bytes were last lent to (BYTES-3); without the hole of a [`SlotRef`] in an
/// option, beside a length.
#[derive(Debug, Clone, Copy)]
#[repr(C, packed(4))]
struct Mark {
    generation: u32,
    slot: Option<&'static Slot>,
}

impl Mark {
    const NONE: Self = Self { generation: 0, slot: None };

    fn of(slot: SlotRef) -> Self {
        let (slot, generation) = slot.into_parts();
        Self { generation, slot: Some(slot) }
    }

    #[inline]
    fn slot(self) -> Option<SlotRef> {
        let Self { generation, slot } = self;
        slot.and_then(|slot| SlotRef::from_parts(slot, generation))
    }
}

/// The bytes are lent to an operation that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lent;

impl core::fmt::Display for Lent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(
            "these bytes are lent to a dropped operation that has not ended yet: await the next \
             operation on them, or cancel with `.cancel().await` or `timeout` instead of dropping",
        )
    }
}

impl core::error::Error for Lent {}

impl<'t> Bytes<'t> {
    /// How many.
    #[expect(clippy::len_without_is_empty, reason = "a task's bytes are a fixed, non-empty region")]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Where they lie.
    pub fn as_ptr(&self) -> *const u8 {
        self.data
    }

    /// Whether an operation still holds them.
    pub fn is_lent(&self) -> bool {
        self.lent_to().is_some()
    }

    /// The bytes for reading.
    ///
    /// # Errors
    /// [`Lent`] while an operation holds them.
    pub fn try_get(&self) -> Result<&[u8], Lent> {
        if self.is_lent() {
            return Err(Lent);
        }
        // SAFETY: BYTES-2; block memory is initialised (zeroed, TASK-2).
        Ok(unsafe { core::slice::from_raw_parts(self.data, self.len()) })
    }

    /// The bytes for writing.
    ///
    /// # Errors
    /// [`Lent`] while an operation holds them.
    pub fn try_get_mut(&mut self) -> Result<&mut [u8], Lent> {
        if self.is_lent() {
            return Err(Lent);
        }
        // SAFETY: BYTES-2.
        Ok(unsafe { core::slice::from_raw_parts_mut(self.data, self.len()) })
    }

    /// Two parts, the first of `at` bytes. Both keep the mark of an operation that holds the whole.
    ///
    /// # Panics
    /// When `at` is beyond the end.
    pub fn split_at(self, at: usize) -> (Bytes<'t>, Bytes<'t>) {
        assert!(at <= self.len(), "unboxed: split_at({at}) of {} bytes", self.len);
        let Self { task, data, len, lent, token } = self;
        let first = Bytes { task, data, len: at as u32, lent, token };
        let rest = data.wrapping_add(at);
        (first, Bytes { task, data: rest, len: len - at as u32, lent, token })
    }

    /// The region for ever, with the task whose block it lies in; nothing is lent.
    pub(crate) fn into_region(self) -> (TaskRef, *mut u8, usize) {
        (self.task, self.data, self.len())
    }

    /// Lends a range to an operation of the running task.
    pub(crate) fn check_owner(&self) -> Result<(), Error> {
        let current = current::get().and_then(|w| w.task());
        if current == Some(self.task) { Ok(()) } else { Err(Error::ForeignBytes) }
    }

    pub(crate) fn lent_to(&self) -> Option<SlotRef> {
        self.lent.slot().filter(|slot| slot.in_flight())
    }

    pub(crate) fn set_lent(&mut self, slot: SlotRef) {
        self.lent = Mark::of(slot);
    }

    pub(crate) fn data(&self) -> *mut u8 {
        self.data
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    /// # Panics
    /// While an operation holds them; see [`Bytes::try_get`].
    fn deref(&self) -> &[u8] {
        self.try_get().unwrap_or_else(|lent| panic!("unboxed: {lent}"))
    }
}

impl DerefMut for Bytes<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.try_get_mut().unwrap_or_else(|lent| panic!("unboxed: {lent}"))
    }
}
