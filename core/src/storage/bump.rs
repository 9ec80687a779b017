//! A region whose bodies lie one behind the other.
//!
//! BUMP-1: bytes below `top` belong to bodies or are lost until `top` is zero again; those above to nobody. A
//! body that is given back while it is the last one lowers `top` again; when the last of all is given back,
//! `top` is zero.

use super::alloc::BodyAlloc;
use super::counts::{ArenaMemory, Counts, InUse};
use crate::memory::{MapNode, Mapped, Row};
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use spin::mutex::SpinMutex;
use spin::once::Once;

/// An arena of `BYTES` bytes, to be put in a static; spawn with a reference to it.
///
/// ```
/// # use unboxed_core as unboxed;
/// # thread_local!(static CURRENT: core::cell::Cell<*const unboxed::exec::Worker> = const { core::cell::Cell::new(core::ptr::null()) });
/// # unboxed::current_worker_cell!(unsafe CURRENT.with(core::ptr::from_ref));
/// use unboxed::storage::{Bump, Reason, TaskTable};
///
/// static REGION: Bump<4096> = Bump::new();
/// static TASKS: TaskTable<16, 2> = TaskTable::new();
///
/// async fn session(number: u32) -> u32 {
///     number
/// }
///
/// let refused = TASKS.spawn(&REGION, session(1)).unwrap_err();
/// assert_eq!((refused.reason, refused.left), (Reason::NoRuntime, Some(4096)));
/// ```
#[repr(C, align(128))]
pub struct Bump<const BYTES: usize> {
    bytes: UnsafeCell<MaybeUninit<[u8; BYTES]>>,
    node: MapNode,
    name: Once<&'static str>,
    state: SpinMutex<State>,
}

#[derive(Debug)]
struct State {
    top: usize,
    top_max: usize,
    counts: Counts,
}

// SAFETY: BUMP-1: each byte has one owner; the state lies under its lock.
unsafe impl<const BYTES: usize> Sync for Bump<BYTES> {}

impl<const BYTES: usize> core::fmt::Debug for Bump<BYTES> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // A copy first: what is written to is foreign code, and does not run under the lock.
        let top = self.state.lock().top;
        write!(f, "Bump({top} of {BYTES})")
    }
}

impl<const BYTES: usize> Bump<BYTES> {
    /// An empty region. It is all zeros, hence in `.bss` as a static.
    pub const fn new() -> Self {
        Self {
            bytes: UnsafeCell::new(MaybeUninit::uninit()),
            node: MapNode::new(),
            name: Once::new(),
            state: SpinMutex::new(State { top: 0, top_max: 0, counts: Counts::new() }),
        }
    }

    /// Names it, for memory maps: once; later it changes nothing.
    pub fn name(&self, name: &'static str) {
        self.name.call_once(|| name);
    }

    /// From now on it refuses new bodies: for programs that start all tasks first. It cannot be undone, but
    /// by [`reset`](Self::reset).
    pub fn seal(&self) {
        self.state.lock().counts.sealed = true;
    }

    /// Begins anew: a sealed region is open again.
    ///
    /// # Errors
    /// [`InUse`] while bodies live in it.
    pub fn reset(&self) -> Result<(), InUse> {
        self.state.lock().counts.reset()
    }

    /// Counts, high-water mark, and what is left.
    pub fn memory(&self) -> ArenaMemory {
        let mut state = self.state.lock();
        let left = BYTES - state.top;
        state.counts.memory(Some(left))
    }

    fn base(&self) -> *mut u8 {
        self.bytes.get().cast()
    }
}

impl<const BYTES: usize> Default for Bump<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Where a body lies that fits.
    #[inline]
    fn fit(&self, base: *mut u8, layout: Layout, bytes: usize) -> Option<(usize, usize)> {
        let from = base.wrapping_add(self.top);
        let start = self.top.checked_add(from.align_offset(layout.align()))?;
        let end = start.checked_add(layout.size()).filter(|end| *end <= bytes)?;
        Some((start, end))
    }
}

impl<const BYTES: usize> Mapped for Bump<BYTES> {
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let (top, top_max) = {
            let state = self.state.lock();
            (state.top, state.top_max.max(state.top))
        };
        tell(Row {
            kind: "region",
            name: self.name.get().copied().unwrap_or_default(),
            address: core::ptr::from_ref(self).addr(),
            pieces: 1,
            piece_bytes: BYTES,
            beside: size_of::<Self>() - BYTES,
            used: top,
            used_max: top_max,
        });
    }
}

// SAFETY: BUMP-1; a static does not move.
unsafe impl<const BYTES: usize> BodyAlloc for &'static Bump<BYTES> {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.node.show(*self);
        let base = self.base();
        let mut state = self.state.lock();
        let place = if state.counts.sealed { None } else { state.fit(base, layout, BYTES) };
        let Some((start, end)) = place else { return state.counts.refuse() };
        state.top = end;
        state.counts.add(layout.size());
        NonNull::new(base.wrapping_add(start))
    }

    unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
        let start = data.addr().get() - self.base().addr();
        let mut state = self.state.lock();
        state.counts.remove(layout.size());
        state.top_max = state.top_max.max(state.top);
        if state.counts.live == 0 {
            state.top = 0;
        } else if start + layout.size() == state.top {
            state.top = start;
        }
    }

    fn size(&self) -> Option<usize> {
        Some(BYTES)
    }

    fn left(&self) -> Option<usize> {
        Some(BYTES - self.state.lock().top)
    }

    fn is_sealed(&self) -> bool {
        self.state.lock().counts.sealed
    }

    fn is_mapped(&self) -> bool {
        true
    }
}
