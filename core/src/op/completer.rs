//! An operation that is completed by a call: from any thread, an interrupt, or a foreign loop.
//!
//! Op slots carry a number and belong to a worker's loop. What is completed from outside carries a value of
//! the user's type, so it has places of its own, typed and never freed.
//!
//! EXT-1: a place is freed by its [`Completion`] alone, which counts its generation up, so that a completer of an
//! earlier activation never matches. It lends no memory: a stale completer finds that out and does nothing.

use crate::channel::{RecvError, SendError};
use crate::sync::{Domain, Guarded, Inner, Tasks, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Free,
    Armed,
    Fired,
    /// The completer is gone.
    Abandoned,
    /// Cancelled by its future.
    #[cfg_attr(loom, allow(dead_code))]
    Cancelled,
}

struct State<T> {
    phase: Phase,
    generation: u64,
    value: Option<T>,
}

impl<T> State<T> {
    fn result(&mut self) -> Option<Result<T, RecvError>> {
        match self.phase {
            Phase::Free | Phase::Armed => None,
            Phase::Fired => Some(self.value.take().ok_or(RecvError::Closed)),
            Phase::Abandoned => Some(Err(RecvError::Closed)),
            Phase::Cancelled => Some(Err(RecvError::Cancelled)),
        }
    }
}

type Place<T, D> = Guarded<D, State<T>>;

/// Places for `N` operations that are completed from outside; usually a static.
///
/// A domain other than [`Tasks`] serves where interrupts complete: its raw lock turns them off.
///
/// ```
/// # use unboxed_core as unboxed;
/// # fn block_on<F: Future>(f: F) -> F::Output {
/// #     let mut f = std::pin::pin!(f);
/// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(out) = f.as_mut().poll(&mut cx) { return out } }
/// # }
/// use unboxed::op::Completions;
///
/// static LOOKUPS: Completions<u32, 4> = Completions::new();
///
/// # block_on(async {
/// let (completer, completion) = LOOKUPS.completion().expect("a free place");
/// std::thread::spawn(move || completer.fire(7));
/// assert_eq!(completion.await, Ok(7));
/// # });
/// ```
pub struct Completions<T, const N: usize, D: Domain = Tasks> {
    places: [Place<T, D>; N],
}

impl<T, const N: usize> Completions<T, N> {
    /// Free places; for other domains see [`with_domain`](Self::with_domain).
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// static LOOKUPS: unboxed::op::Completions<u32, 4> = unboxed::op::Completions::new();
    /// assert_eq!(LOOKUPS.used(), 0);
    /// ```
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self::with_domain()
    }
}

#[cfg(not(loom))]
impl<T, const N: usize, D: Domain> Default for Completions<T, N, D> {
    fn default() -> Self {
        Self::with_domain()
    }
}

impl<T, const N: usize, D: Domain> Completions<T, N, D> {
    /// Free places, of the domain that its type names.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::{op::Completions, sync::Local};
    /// let lookups: Completions<u32, 4, Local> = Completions::with_domain();
    /// assert_eq!(lookups.used(), 0);
    /// ```
    #[cfg(not(loom))]
    pub const fn with_domain() -> Self {
        Self { places: [const { Guarded::new(State { phase: Phase::Free, generation: 0, value: None }) }; N] }
    }

    /// Free places, of the domain that its type names.
    #[cfg(loom)]
    pub fn with_domain() -> Self {
        let place = |_| Guarded::new(State { phase: Phase::Free, generation: 0, value: None });
        Self { places: core::array::from_fn(place) }
    }

    /// The two sides of one operation; none when all places are in use. Either may go at any time.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let lookups = unboxed::op::Completions::<u32, 1>::new();
    /// let (completer, completion) = lookups.completion().unwrap();
    /// assert!(lookups.completion().is_none());
    /// drop(completion);
    /// assert_eq!(completer.fire(7).unwrap_err().into_inner(), 7);
    /// ```
    pub fn completion(&self) -> Option<(Completer<'_, T, D>, Completion<'_, T, D>)> {
        self.places.iter().find_map(|place| {
            let generation = place.with(|inner| {
                let state = &mut inner.state;
                (state.phase == Phase::Free).then(|| {
                    state.phase = Phase::Armed;
                    state.generation
                })
            })?;
            let completion = Completion { place, waiter: Waiter::new() };
            Some((Completer { place, generation }, completion))
        })
    }

    /// How many places are in use.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let lookups = unboxed::op::Completions::<u32, 4>::new();
    /// let _both = lookups.completion();
    /// assert_eq!(lookups.used(), 1);
    /// ```
    pub fn used(&self) -> usize {
        self.places.iter().filter(|place| place.with(|inner| inner.state.phase != Phase::Free)).count()
    }
}

impl<T, const N: usize, D: Domain> fmt::Debug for Completions<T, N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Completions({} of {N})", self.used())
    }
}

/// Completes one operation, once. Dropped instead, it tells its future that nothing comes.
pub struct Completer<'a, T, D: Domain = Tasks> {
    place: &'a Place<T, D>,
    generation: u64,
}

impl<T, D: Domain> Completer<'_, T, D> {
    /// Completes the operation with a value.
    ///
    /// # Errors
    /// [`SendError::Closed`] with the value, when the future is gone or was cancelled; the place may serve
    /// another operation already, which is left alone.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use core::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let lookups = unboxed::op::Completions::<u32, 1>::new();
    /// let (completer, completion) = lookups.completion().unwrap();
    /// completer.fire(7).unwrap();
    /// assert_eq!(pin!(completion).poll(&mut cx), Poll::Ready(Ok(7)));
    /// ```
    pub fn fire(self, value: T) -> Result<(), SendError<T>> {
        let fired = self.place.with(|inner| {
            if !self.is_armed(inner) {
                return Err(SendError::Closed(value));
            }
            inner.state.phase = Phase::Fired;
            inner.state.value = Some(value);
            Ok(inner.list.serve(0))
        });
        fired.map(wake)
    }

    /// Whether nobody waits any more for what it would complete.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let lookups = unboxed::op::Completions::<u32, 1>::new();
    /// let (completer, completion) = lookups.completion().unwrap();
    /// assert!(!completer.is_stale());
    /// drop(completion);
    /// assert!(completer.is_stale());
    /// ```
    pub fn is_stale(&self) -> bool {
        self.place.with(|inner| !self.is_armed(inner))
    }

    fn is_armed(&self, inner: &Inner<State<T>>) -> bool {
        // EXT-1.
        inner.state.generation == self.generation && inner.state.phase == Phase::Armed
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T, D: Domain> Drop for Completer<'_, T, D> {
    fn drop(&mut self) {
        wake(self.place.with(|inner| {
            if !self.is_armed(inner) {
                return None;
            }
            inner.state.phase = Phase::Abandoned;
            inner.list.serve(0)
        }));
    }
}

impl<T, D: Domain> fmt::Debug for Completer<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Completer({:p}, gen {})", self.place, self.generation)
    }
}

/// Waits for a [`Completer`].
///
/// # Errors
/// [`RecvError::Closed`] when the completer is gone, or the value was taken before; [`RecvError::Cancelled`].
///
/// # Cancel safety
/// Dropped, it frees its place at once, and a value that had come is dropped with it. Who must not lose one
/// cancels instead: the answer is the value, or that a later [`Completer::fire`] gives it back.
#[must_use = "futures do nothing unless awaited"]
pub struct Completion<'a, T, D: Domain = Tasks> {
    place: &'a Place<T, D>,
    waiter: Waiter,
}

impl<T, D: Domain> Future for Completion<'_, T, D> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        let look = |inner: &mut Inner<State<T>>, (): &mut ()| inner.state.result();
        let served = |inner: &mut Inner<State<T>>, (): &mut (), _| {
            inner.state.result().unwrap_or(Err(RecvError::Closed))
        };
        // SAFETY: the waiter is pinned structurally.
        let waiter = unsafe { Pin::new_unchecked(&this.waiter) };
        waiter.poll_in(this.place, Inner::list, cx, core::ptr::null(), &mut (), look, served)
    }
}

impl<T, D: Domain> Completion<'_, T, D> {
    /// Nothing is waited for any more; what had come is still its own.
    #[cfg_attr(loom, allow(dead_code))]
    pub(super) fn withdraw(self: Pin<&mut Self>) {
        let this = self.into_ref().get_ref();
        this.waiter.withdraw(this.place, Inner::list);
        this.place.with(|inner| {
            if inner.state.phase == Phase::Armed {
                inner.state.phase = Phase::Cancelled;
            }
        });
    }
}

#[cfg(not(loom))]
impl<T, D: Domain> super::Operation for Completion<'_, T, D> {
    fn request_cancel(self: Pin<&mut Self>, _: &mut Context<'_>) {
        self.withdraw();
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        matches!(output, Err(RecvError::Cancelled))
    }
}

impl<T, D: Domain> Drop for Completion<'_, T, D> {
    fn drop(&mut self) {
        self.waiter.leave(self.place, |_, _| None);
        let value = self.place.with(|inner| {
            inner.state.generation += 1;
            inner.state.phase = Phase::Free;
            inner.state.value.take()
        });
        drop(value);
    }
}

impl<T, D: Domain> fmt::Debug for Completion<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Completion({:p})", self.place)
    }
}

#[cfg(all(test, loom))]
#[path = "completer_loom.rs"]
mod models;
