//! The latest value, for any number of readers, and the news that there is another one.

use super::error::{RecvError, SendError};
use crate::atomics::UnsafeCell;
use crate::sync::{Domain, Guarded, Inner, Shared, Tasks, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// WATCH-1: the cell `current` holds the value. A cell is read by those whom `readers` counts, and written
/// under the raw lock while it is not current and nobody reads it; then it is empty.
struct State<T> {
    current: usize,
    readers: [u32; 2],
    version: u64,
    /// Comes when the last reader of the value before the current one has gone.
    pending: Option<T>,
    closed: bool,
}

impl<T> State<T> {
    /// No version follows the present one.
    fn has_ended(&self) -> bool {
        self.closed && self.pending.is_none()
    }
}

/// Tells the next one who has not seen the current version. They wait in the order of what they have seen.
fn tell_next<T>(watch: &mut Inner<State<T>>) -> Option<Waker> {
    let seen = watch.list.request()?;
    (seen != watch.state.version as u32 || watch.state.has_ended()).then(|| watch.list.serve(0))?
}

/// A value that is replaced as a whole, and read in place.
///
/// Sending does not wait, and reading does not wait: there are two cells, so that one can be read while the
/// other is written. While somebody still reads the value before the current one, a new value waits for the
/// end of that read, and newer ones replace it there. Values in between may be missed; the last one is not.
///
/// ```
/// # use unboxed_core as unboxed;
/// # fn block_on<F: Future>(f: F) -> F::Output {
/// #     let mut f = std::pin::pin!(f);
/// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(out) = f.as_mut().poll(&mut cx) { return out } }
/// # }
/// use unboxed::channel::Watch;
///
/// static LIMIT: Watch<u32> = Watch::new(10);
///
/// # block_on(async {
/// let mut watcher = LIMIT.watcher();
/// LIMIT.send(20).expect("open");
/// watcher.changed().await.expect("open");
/// assert_eq!(watcher.read(|limit| *limit), 20);
/// # });
/// ```
pub struct Watch<T, D: Domain = Tasks> {
    guarded: Guarded<D, State<T>>,
    cells: [UnsafeCell<Option<T>>; 2],
}

// SAFETY: WATCH-1; several threads may read one value, and any may drop it.
unsafe impl<T: Send + Sync, D: Shared> Sync for Watch<T, D> {}

impl<T> Watch<T> {
    /// A first value, for all tasks; for other domains see [`with_domain`](Self::with_domain).
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Self {
        Self::with_domain(value)
    }
}

impl<T, D: Domain> Watch<T, D> {
    crate::atomics::const_unless_loom! {
        /// A first value, of the domain that its type names.
        pub fn with_domain(value: T) -> Self {
            let state = State { current: 0, readers: [0; 2], version: 0, pending: None, closed: false };
            let cells = [UnsafeCell::new(Some(value)), UnsafeCell::new(None)];
            Self { guarded: Guarded::new(state), cells }
        }
    }

    /// Replaces the value, and wakes who waits for a change. The old one is dropped here, or by its last
    /// reader.
    ///
    /// # Errors
    /// [`SendError::Closed`] with the value.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        let send = |watch: &mut Inner<State<T>>| {
            if watch.state.closed {
                return Err(SendError::Closed(value));
            }
            if watch.state.readers[1 - watch.state.current] != 0 {
                return Ok(watch.state.pending.replace(value));
            }
            Ok(self.publish(watch, value))
        };
        // What it replaces is dropped here, after the lock.
        self.guarded.serve(send, tell_next).map(drop)
    }

    /// Makes `value` the current one, in the cell that nobody reads; what comes out is to be dropped.
    fn publish(&self, watch: &mut Inner<State<T>>, value: T) -> Option<T> {
        let old = watch.state.current;
        let new = 1 - old;
        // SAFETY: WATCH-1: under the lock, not current, not read.
        self.cells[new].with_mut(|cell| unsafe { *cell = Some(value) });
        watch.state.current = new;
        watch.state.version += 1;
        if watch.state.readers[old] != 0 {
            return None;
        }
        // SAFETY: WATCH-1: it is not current any more.
        self.cells[old].with_mut(|cell| unsafe { (*cell).take() })
    }

    /// Reads the value in place. Sends and other reads go on meanwhile, also from within.
    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        self.read_version(read).0
    }

    fn read_version<R>(&self, read: impl FnOnce(&T) -> R) -> (R, u64) {
        let (cell, version) = self.guarded.with(|watch| {
            watch.state.readers[watch.state.current] += 1;
            (watch.state.current, watch.state.version)
        });
        let reading = Reading { watch: self, cell };
        // SAFETY: WATCH-1: counted, and the current cell is not empty.
        let result = self.cells[cell].with(|value| read(unsafe { (*value).as_ref() }.expect("a value")));
        drop(reading);
        (result, version)
    }

    /// A copy of the value.
    pub fn get(&self) -> T
    where
        T: Clone,
    {
        self.read(T::clone)
    }

    /// How often the value was replaced.
    pub fn version(&self) -> u64 {
        self.guarded.with(|watch| watch.state.version)
    }

    /// No value will follow. False when it was closed before. The value stays readable.
    pub fn close(&self) -> bool {
        self.guarded.serve(|watch| !core::mem::replace(&mut watch.state.closed, true), tell_next)
    }

    /// Someone who waits for values newer than the present one.
    pub fn watcher(&self) -> Watcher<'_, T, D> {
        Watcher { seen: self.version(), watch: self }
    }
}

#[cfg(all(test, loom))]
impl<T> Watch<T> {
    /// A seeded bug: writes the other cell without a look at its readers.
    pub fn send_over_readers(&self, value: T) {
        drop(self.guarded.with(|watch| self.publish(watch, value)));
    }

    /// A seeded bug: tells those who wait, and closes in a second step.
    pub fn close_too_late(&self) {
        self.guarded.serve_before_the_change(|watch| watch.state.closed = true, |watch| watch.list.serve(0));
    }

    /// WAIT-2 broken.
    pub fn close_waking_under_the_lock(&self) {
        self.guarded.serve_under_the_lock(|watch| watch.state.closed = true, tell_next);
    }
}

/// Counted as a reader of a cell; the last one of an old value empties the cell, and lets the next one in.
struct Reading<'a, T, D: Domain> {
    watch: &'a Watch<T, D>,
    cell: usize,
}

impl<T, D: Domain> Drop for Reading<'_, T, D> {
    fn drop(&mut self) {
        let (watch, cell) = (self.watch, self.cell);
        let old = watch.guarded.with(|inner| {
            inner.state.readers[cell] -= 1;
            if inner.state.readers[cell] != 0 || inner.state.current == cell {
                return None;
            }
            // SAFETY: WATCH-1: not current, and not read any more.
            let old = watch.cells[cell].with_mut(|cell| unsafe { (*cell).take() });
            let next = inner.state.pending.take();
            Some((old, next.map(|value| watch.publish(inner, value))))
        });
        if let Some((_, Some(_))) = old {
            watch.guarded.serve(|_| (), tell_next);
        }
        drop(old);
    }
}

impl<T: fmt::Debug, D: Domain> fmt::Debug for Watch<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read(|value| f.debug_tuple("Watch").field(value).finish())
    }
}

/// Knows which version it has seen. See [`Watch::watcher`].
pub struct Watcher<'a, T, D: Domain = Tasks> {
    watch: &'a Watch<T, D>,
    seen: u64,
}

impl<T, D: Domain> Watcher<'_, T, D> {
    /// Waits until there is a value that was not seen, and counts it as seen.
    ///
    /// # Errors
    /// [`RecvError::Closed`] when the watch is closed and its last value was seen; [`RecvError::Cancelled`].
    ///
    /// # Cancel safety
    /// A dropped future has seen nothing.
    pub fn changed(&mut self) -> Changed<'_, T, D> {
        Changed { watch: self.watch, seen: &mut self.seen, waiter: Waiter::new(), cancelled: false }
    }

    /// Whether there is a value that was not seen.
    pub fn has_changed(&self) -> bool {
        self.watch.version() != self.seen
    }

    /// Reads the value in place, and counts it as seen.
    pub fn read<R>(&mut self, read: impl FnOnce(&T) -> R) -> R {
        let (result, version) = self.watch.read_version(read);
        self.seen = version;
        result
    }
}

impl<T, D: Domain> Clone for Watcher<'_, T, D> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T, D: Domain> fmt::Debug for Watcher<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// See [`Watcher::changed`].
#[must_use = "futures do nothing unless awaited"]
pub struct Changed<'a, T, D: Domain = Tasks> {
    watch: &'a Watch<T, D>,
    seen: &'a mut u64,
    waiter: Waiter,
    cancelled: bool,
}

impl<T, D: Domain> Future for Changed<'_, T, D> {
    type Output = Result<(), RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the waiter stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        if this.cancelled && !this.waiter.is_waiting() {
            return Poll::Ready(Err(RecvError::Cancelled));
        }
        let seen = *this.seen;
        let look = |watch: &mut Inner<State<T>>, (): &mut ()| match watch.state.version {
            version if version != seen => Some(Ok(version)),
            _ => watch.state.has_ended().then_some(Err(RecvError::Closed)),
        };
        let served = |watch: &mut Inner<State<T>>, after: &mut (), _| {
            look(watch, after).unwrap_or(Err(RecvError::Closed))
        };
        // The list is in the order of versions: who has seen the current one is behind all others.
        let request = core::ptr::without_provenance(seen as u32 as usize);
        // SAFETY: the waiter is pinned structurally.
        let waiter = unsafe { Pin::new_unchecked(&this.waiter) };
        let guarded = &this.watch.guarded;
        let end = waiter.poll_in(guarded, Inner::list, cx, request, &mut (), look, served);
        end.map_ok(|version| *this.seen = version)
    }
}

impl<T, D: Domain> Changed<'_, T, D> {
    /// Leaves the line; what it was served is still its own.
    #[cfg_attr(loom, allow(dead_code))]
    pub(super) fn withdraw(self: Pin<&mut Self>) {
        // SAFETY: nothing is moved.
        let this = unsafe { self.get_unchecked_mut() };
        this.cancelled = true;
        this.waiter.withdraw(&this.watch.guarded, Inner::list);
    }
}

#[cfg(not(loom))]
impl<T, D: Domain> crate::op::Operation for Changed<'_, T, D> {
    fn request_cancel(self: Pin<&mut Self>, _: &mut Context<'_>) {
        self.withdraw();
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        matches!(output, Err(RecvError::Cancelled))
    }
}

impl<T, D: Domain> Drop for Changed<'_, T, D> {
    fn drop(&mut self) {
        self.waiter.leave(&self.watch.guarded, |_, _| None);
    }
}

impl<T, D: Domain> fmt::Debug for Changed<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changed")
    }
}
