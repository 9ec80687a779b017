//! Frames of async recursion, one behind the other in a region.
//!
//! ```text
//!  region: | frame of the first call | frame of its call | ... free ... |
//!                                                        ^ top
//! ```
//! FRAME-1: a frame lies below `top` from its call until the call is dropped, which drops the frame's future
//! and lowers `top` to its beginning; a level's [`Frames`] is borrowed by its call, so calls end in the
//! opposite order. FRAME-2: a leaked frame's memory is never used again. `live` counts the frames of the whole
//! stack; a call that ends and finds more of them than there were before it knows that one above was leaked,
//! and leaves no room on its level. A stack with frames is not given back: a static one stays taken, and a
//! task's block is never released.

use crate::task::{Bytes, TaskRef, unref};
use core::cell::{Cell, UnsafeCell};
use core::future::Future;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll};

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
    live: AtomicUsize,
    taken: AtomicBool,
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
        Self { region, live: AtomicUsize::new(0), taken: AtomicBool::new(false) }
    }

    /// The stack, for one recursion; none while another uses it, or after one has leaked a frame in it.
    pub fn frames(&'static self) -> Option<Frames<'static>> {
        let free = !self.taken.swap(true, Ordering::Acquire);
        free.then(|| Frames {
            base: self.region.get().cast(),
            top: 0,
            end: BYTES,
            live: &raw const self.live,
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
    top: usize,
    end: usize,
    /// In the stack's static, or at the beginning of the task's bytes.
    live: *const AtomicUsize,
    root: Root,
    region: PhantomData<&'r mut [u8]>,
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
        let skip = data.align_offset(align_of::<AtomicUsize>());
        let base = data.wrapping_add(skip + size_of::<AtomicUsize>());
        let end = len.checked_sub(skip + size_of::<AtomicUsize>())?;
        let live = data.wrapping_add(skip).cast::<AtomicUsize>();
        // SAFETY: BYTES-2: inside the bytes, which are ours; aligned.
        unsafe { live.write(AtomicUsize::new(0)) };
        // FRAME-2: until the last frame is gone the block must not be another task's.
        task.header().refs.add(1);
        Some(Self { base, top: 0, end, live, root: Root::Block(task), region: PhantomData })
    }
}

impl Frames<'_> {
    /// Bytes that are left for deeper frames.
    pub fn left(&self) -> usize {
        self.end - self.top
    }

    fn live(&self) -> &AtomicUsize {
        // SAFETY: FRAME-2: it lives as long as a frame or a level's right does.
        unsafe { &*self.live }
    }

    /// Builds a future in a frame of its own, with the rest of the stack for itself. Await what comes back.
    ///
    /// For a recursion to be `Send`, its function says so: `fn f(..) -> impl Future<Output = T> + Send`.
    ///
    /// # Errors
    /// The call's output is [`DepthExhausted`] when the frame does not fit; then `f` is not called.
    pub fn call<'c, F, Fut>(&'c mut self, f: F) -> Call<'c, Fut::Output>
    where
        F: FnOnce(Frames<'c>) -> Fut,
        Fut: Future + Send + 'c,
    {
        let from = self.base.wrapping_add(self.top);
        let start = self.top.saturating_add(from.align_offset(align_of::<Fut>()));
        let after = start.saturating_add(size_of::<Fut>());
        if after > self.end {
            return Call(Err(DepthExhausted { needed: size_of::<Fut>(), left: self.left() }));
        }
        let live = self.live;
        let rest = Frames {
            base: self.base,
            top: after,
            end: self.end,
            live,
            root: Root::None,
            region: PhantomData,
        };
        let future = f(rest);
        let frame = self.base.wrapping_add(start);
        // SAFETY: FRAME-1: inside the region, aligned, above every frame that lives.
        unsafe { frame.cast::<Fut>().write(future) };
        let depth = self.live().fetch_add(1, Ordering::Relaxed);
        let (before, end) = (core::mem::replace(&mut self.top, after), self.end);
        let top = Cell::from_mut(&mut self.top);
        Call(Ok(Frame { frame, poll: poll::<Fut>, drop: drop_frame::<Fut>, live, depth, top, before, end }))
    }
}

impl Drop for Frames<'_> {
    fn drop(&mut self) {
        if matches!(self.root, Root::None) || self.live().load(Ordering::Relaxed) != 0 {
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
    live: *const AtomicUsize,
    /// Frames that lived before this one.
    depth: usize,
    /// The level's top, what it was before, and the most that it can be.
    top: &'c Cell<usize>,
    before: usize,
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
                let live = unsafe { &*frame.live }.fetch_sub(1, Ordering::Relaxed) - 1;
                frame.top.set(if live == frame.depth { frame.before } else { frame.end });
            }
        }
        let _lower = Lower(self);
        // SAFETY: FRAME-1.
        unsafe { (self.drop)(self.frame) };
    }
}
