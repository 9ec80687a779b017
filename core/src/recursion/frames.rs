//! Frames of async recursion, one behind the other in a region.
//!
//! ```text
//!  region: | frame of the first call | frame of its call | ... free ... |
//!                                                        ^ top
//! ```
//! FRAME-1: a frame lies below `top` from its call until the call is dropped, which drops the frame's future
//! and lowers `top` to its beginning; a level's [`Frames`] is borrowed by its call, so calls end in the
//! opposite order. FRAME-2: a leaked frame's memory is never used again. `live` counts the frames of the whole
//! stack; a call that ends and finds more of them than there were before it knows that one above is there still,
//! and leaves no room on its level. A stack with frames is not given back: a static one stays taken, and a
//! task's block is never released. FRAME-3: a level calls only while `live` is its own depth, which it raises in the
//! same step. So one whose own frame is gone, because its right was kept outside, puts nothing into memory that the level
//! below has back. FRAME-4: as long as every call that ended was the last one that had begun, the depths of the frames are
//! 1 to `live`, and `live` says whose turn it is. The first one that ends out of turn sets `OUT_OF_TURN` in the same step,
//! since from then on the number could be that of a level below a leaked frame: no level calls any more.

use crate::memory::{MapNode, Mapped, Row};
use crate::task::{Bytes, TaskRef, unref};
use core::cell::{Cell, UnsafeCell};
use core::future::Future;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll};
use spin::once::Once;

/// The stack has no room for another frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthExhausted {
    /// Bytes of the frame.
    pub needed: usize,
    /// Bytes that were left.
    pub left: usize,
}

impl core::fmt::Display for DepthExhausted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { needed, left } = self;
        write!(
            f,
            "the recursion is too deep: a frame of {needed} bytes, and {left} are left; make the stack larger"
        )
    }
}

impl core::error::Error for DepthExhausted {}

/// A static region of `BYTES` bytes for frames. One recursion at a time uses it.
///
/// ```
/// # use unboxed_core as unboxed;
/// use core::future::Future;
/// use unboxed::recursion::{DepthExhausted, FrameStack, Frames};
///
/// fn depth(mut frames: Frames<'_>, n: u32) -> impl Future<Output = Result<u32, DepthExhausted>> + Send {
///     async move {
///         match n {
///             0 => Ok(0),
///             n => Ok(1 + frames.call(|frames| depth(frames, n - 1)).await??),
///         }
///     }
/// }
///
/// static STACK: FrameStack<4096> = FrameStack::new();
/// # let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
/// let mut ten = core::pin::pin!(depth(STACK.frames().unwrap(), 10));
/// assert_eq!(ten.as_mut().poll(&mut cx), core::task::Poll::Ready(Ok(10)));
/// ```
#[repr(C, align(64))]
pub struct FrameStack<const BYTES: usize> {
    region: UnsafeCell<MaybeUninit<[u8; BYTES]>>,
    counts: Counts,
    taken: AtomicBool,
    node: MapNode,
    name: Once<&'static str>,
}

/// What a whole stack counts: in its static, or at the beginning of the task's bytes.
#[derive(Debug)]
struct Counts {
    /// Frames, and `OUT_OF_TURN` (FRAME-4).
    live: AtomicUsize,
    /// Bytes up to the end of the last frame, now and at most; for memory maps.
    top: AtomicUsize,
    top_max: AtomicUsize,
}

/// In `live`: a call has ended before one that began after it.
const OUT_OF_TURN: usize = 1 << (usize::BITS - 1);

impl Counts {
    const fn new() -> Self {
        Self { live: AtomicUsize::new(0), top: AtomicUsize::new(0), top_max: AtomicUsize::new(0) }
    }

    /// A call of a level of this depth has ended; whether it was the last one that had begun (FRAME-4).
    fn end_call(&self, depth: usize) -> bool {
        let in_turn = self.live.compare_exchange(depth + 1, depth, Ordering::Relaxed, Ordering::Relaxed);
        let out_of_turn = |live: usize| Some((live - 1) | OUT_OF_TURN);
        if in_turn.is_err() {
            // It always gives something.
            let _ = self.live.fetch_update(Ordering::Relaxed, Ordering::Relaxed, out_of_turn);
        }
        in_turn.is_ok()
    }

    /// No frame is left, and the stack may serve again.
    fn end_stack(&self) -> bool {
        let over = self.live.load(Ordering::Relaxed) & !OUT_OF_TURN == 0;
        if over {
            self.live.store(0, Ordering::Relaxed);
        }
        over
    }

    fn grow(&self, top: usize) {
        self.top.store(top, Ordering::Relaxed);
        if top > self.top_max.load(Ordering::Relaxed) {
            self.top_max.store(top, Ordering::Relaxed);
        }
    }
}

// SAFETY: FRAME-1, and `taken` gives the region to one recursion at a time.
unsafe impl<const BYTES: usize> Sync for FrameStack<BYTES> {}

impl<const BYTES: usize> core::fmt::Debug for FrameStack<BYTES> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let taken = self.taken.load(Ordering::Relaxed);
        write!(f, "FrameStack({BYTES} bytes, {})", if taken { "taken" } else { "free" })
    }
}

impl<const BYTES: usize> FrameStack<BYTES> {
    /// An empty stack.
    pub const fn new() -> Self {
        let region = UnsafeCell::new(MaybeUninit::uninit());
        let taken = AtomicBool::new(false);
        Self { region, counts: Counts::new(), taken, node: MapNode::new(), name: Once::new() }
    }

    /// Names it, for memory maps: once; later it changes nothing.
    pub fn name(&self, name: &'static str) {
        self.name.call_once(|| name);
    }

    /// The stack, for one recursion; none while another uses it, or after one has leaked a frame in it.
    pub fn frames(&'static self) -> Option<Frames<'static>> {
        self.node.show(self);
        let free = !self.taken.swap(true, Ordering::Acquire);
        free.then(|| Frames {
            base: self.region.get().cast(),
            level: Level { top: 0, depth: 0 },
            end: BYTES,
            counts: &raw const self.counts,
            root: Root::Static(&self.taken),
            region: PhantomData,
        })
    }
}

impl<const BYTES: usize> Default for FrameStack<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BYTES: usize> Mapped for FrameStack<BYTES> {
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        tell(Row {
            kind: "frames",
            name: self.name.get().copied().unwrap_or_default(),
            address: core::ptr::from_ref(self).addr(),
            pieces: 1,
            piece_bytes: BYTES,
            beside: size_of::<Self>() - BYTES,
            used: self.counts.top.load(Ordering::Relaxed),
            used_max: self.counts.top_max.load(Ordering::Relaxed),
        });
    }
}

/// What is given back when a level's frames are all gone.
#[derive(Debug)]
enum Root {
    Static(&'static AtomicBool),
    Block(TaskRef),
    /// A level above has it.
    None,
}

/// One level's right to call deeper: exclusive, and for as long as the level lives.
#[derive(Debug)]
pub struct Frames<'r> {
    base: *mut u8,
    level: Level,
    end: usize,
    counts: *const Counts,
    root: Root,
    region: PhantomData<&'r mut [u8]>,
}

/// Where a level's frames begin, and how many frames there are below.
#[derive(Debug, Clone, Copy)]
struct Level {
    top: usize,
    depth: usize,
}

// SAFETY: FRAME-1: an exclusive right to the region above `top`.
unsafe impl Send for Frames<'_> {}

impl<'t> Frames<'t> {
    /// Frames in a task's own bytes; none while an operation holds these, or where they are too few for
    /// anything.
    pub fn in_bytes(bytes: Bytes<'t>) -> Option<Self> {
        if bytes.is_lent() {
            return None;
        }
        let (task, data, len) = bytes.into_region();
        let skip = data.align_offset(align_of::<Counts>());
        let base = data.wrapping_add(skip + size_of::<Counts>());
        let end = len.checked_sub(skip + size_of::<Counts>())?;
        let counts = data.wrapping_add(skip).cast::<Counts>();
        // SAFETY: BYTES-2: inside the bytes, which are ours; aligned.
        unsafe { counts.write(Counts::new()) };
        // FRAME-2: until the last frame is gone the block must not be another task's.
        task.header().refs.add(1);
        let level = Level { top: 0, depth: 0 };
        Some(Self { base, level, end, counts, root: Root::Block(task), region: PhantomData })
    }
}

impl Frames<'_> {
    /// Bytes that are left for deeper frames.
    pub fn left(&self) -> usize {
        self.end - self.level.top
    }

    fn counts(&self) -> &Counts {
        // SAFETY: FRAME-2: it lives as long as a frame or a level's right does.
        unsafe { &*self.counts }
    }

    /// Builds a future in a frame of its own, with the rest of the stack for itself. Await what comes back.
    ///
    /// For a recursion to be `Send`, its function says so: `fn f(..) -> impl Future<Output = T> + Send`.
    ///
    /// # Errors
    /// The call's output is [`DepthExhausted`] when the frame does not fit; then `f` is not called. The same, with
    /// nothing left, from a right that was kept outside of its own frame, once that is gone.
    pub fn call<'c, F, Fut>(&'c mut self, f: F) -> Call<'c, Fut::Output>
    where
        F: FnOnce(Frames<'c>) -> Fut,
        Fut: Future + Send + 'c,
    {
        let before = self.level;
        let needed = size_of::<Fut>();
        let from = self.base.wrapping_add(before.top);
        let start = before.top.saturating_add(from.align_offset(align_of::<Fut>()));
        let after = Level { top: start.saturating_add(needed), depth: before.depth + 1 };
        if after.top > self.end {
            return Call(Err(DepthExhausted { needed, left: self.left() }));
        }
        if self.counts().live.load(Ordering::Relaxed) != before.depth {
            return Call(Err(DepthExhausted { needed, left: 0 }));
        }
        let future = f(Frames {
            base: self.base,
            level: after,
            end: self.end,
            counts: self.counts,
            root: Root::None,
            region: PhantomData,
        });
        // FRAME-3: with the end of this level's own frame, on another thread, only one of the two comes first.
        let live = &self.counts().live;
        let raised = live.compare_exchange(before.depth, after.depth, Ordering::Relaxed, Ordering::Relaxed);
        if raised.is_err() {
            return Call(Err(DepthExhausted { needed, left: 0 }));
        }
        let frame = self.base.wrapping_add(start);
        // SAFETY: FRAME-1: inside the region, aligned, above every frame that lives.
        unsafe { frame.cast::<Fut>().write(future) };
        self.counts().grow(after.top);
        self.level = after;
        let (counts, end) = (self.counts, self.end);
        let level = Cell::from_mut(&mut self.level);
        Call(Ok(Frame { frame, poll: poll::<Fut>, drop: drop_frame::<Fut>, counts, level, before, end }))
    }
}

impl Drop for Frames<'_> {
    fn drop(&mut self) {
        if matches!(self.root, Root::None) || !self.counts().end_stack() {
            // FRAME-2: another level's, or a frame was leaked.
            return;
        }
        match self.root {
            Root::Static(taken) => taken.store(false, Ordering::Release),
            Root::Block(task) => unref(task),
            Root::None => {}
        }
    }
}

unsafe fn poll<Fut: Future>(frame: *mut u8, cx: &mut Context<'_>) -> Poll<Fut::Output> {
    // SAFETY: FRAME-1: the call's own frame, which does not move.
    unsafe { Pin::new_unchecked(&mut *frame.cast::<Fut>()) }.poll(cx)
}

unsafe fn drop_frame<Fut>(frame: *mut u8) {
    // SAFETY: FRAME-1: once, by the call's drop.
    unsafe { frame.cast::<Fut>().drop_in_place() };
}

/// A call one level deeper; see [`Frames::call`].
#[must_use = "futures do nothing unless awaited"]
pub struct Call<'c, T>(Result<Frame<'c, T>, DepthExhausted>);

struct Frame<'c, T> {
    frame: *mut u8,
    poll: unsafe fn(*mut u8, &mut Context<'_>) -> Poll<T>,
    drop: unsafe fn(*mut u8),
    counts: *const Counts,
    /// The level that called, what it was before, and the most that its top can be.
    level: &'c Cell<Level>,
    before: Level,
    end: usize,
}

// SAFETY: the frame's future is Send, by the bound of `call`; the cell is borrowed exclusively.
unsafe impl<T> Send for Frame<'_, T> {}

impl<T> core::fmt::Debug for Call<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.0 {
            Ok(frame) => write!(f, "Call({:p})", frame.frame),
            Err(error) => write!(f, "Call({error:?})"),
        }
    }
}

impl<T> Future for Call<'_, T> {
    type Output = Result<T, DepthExhausted>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &self.0 {
            Err(error) => Poll::Ready(Err(*error)),
            // SAFETY: FRAME-1.
            Ok(frame) => unsafe { (frame.poll)(frame.frame, cx) }.map(Ok),
        }
    }
}

impl<T> Drop for Frame<'_, T> {
    fn drop(&mut self) {
        /// Lowers the top also when the frame's drop panics: what is left of it is dropped then.
        struct Lower<'a, 'c, T>(&'a Frame<'c, T>);
        impl<T> Drop for Lower<'_, '_, T> {
            fn drop(&mut self) {
                let frame = self.0;
                // SAFETY: FRAME-2.
                let counts = unsafe { &*frame.counts };
                let before = frame.before;
                let in_turn = counts.end_call(before.depth);
                let top = if in_turn { before.top } else { frame.end };
                frame.level.set(Level { top, ..before });
                if in_turn {
                    counts.top.store(top, Ordering::Relaxed);
                }
            }
        }
        let _lower = Lower(self);
        // SAFETY: FRAME-1.
        unsafe { (self.drop)(self.frame) };
    }
}
