//! The latest value, for any number of readers, and the news that there is another one.

use super::error::SendError;
use super::watcher::Watcher;
use crate::atomics::UnsafeCell;
use crate::sync::{Domain, Guarded, Inner, Shared, Tasks};
use core::fmt;
use core::task::Waker;

/// WATCH-1: the cell `current` holds the value. A cell is read by those whom `readers` counts, and written
/// under the raw lock while it is not current and nobody reads it; then it is empty.
pub(super) struct State<T> {
    current: usize,
    readers: [u32; 2],
    pub version: u64,
    /// Comes when the last reader of the value before the current one has gone.
    pending: Option<T>,
    closed: bool,
}

impl<T> State<T> {
    /// No version follows the present one.
    pub fn has_ended(&self) -> bool {
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
    pub(super) guarded: Guarded<D, State<T>>,
    cells: [UnsafeCell<Option<T>>; 2],
}

// SAFETY: WATCH-1; several threads may read one value, and any may drop it.
unsafe impl<T: Send + Sync, D: Shared> Sync for Watch<T, D> {}

impl<T> Watch<T> {
    /// A first value, for all tasks; for other domains see [`with_domain`](Self::with_domain).
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// static LIMIT: unboxed::channel::Watch<u32> = unboxed::channel::Watch::new(10);
    /// assert_eq!(LIMIT.get(), 10);
    /// ```
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Self {
        Self::with_domain(value)
    }
}

impl<T, D: Domain> Watch<T, D> {
    crate::atomics::const_unless_loom! {
        /// A first value, of the domain that its type names.
        ///
        /// ```
        /// # use unboxed_core as unboxed;
        /// use unboxed::{channel::Watch, sync::Local};
        /// let limit: Watch<u32, Local> = Watch::with_domain(10);
        /// assert_eq!(limit.get(), 10);
        /// ```
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
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// use unboxed::channel::{SendError, Watch};
    ///
    /// let limit = Watch::new(10);
    /// limit.send(20).unwrap();
    /// assert_eq!(limit.get(), 20);
    /// limit.close();
    /// assert_eq!(limit.send(30), Err(SendError::Closed(30)));
    /// ```
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
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let names = unboxed::channel::Watch::new(["a", "b"]);
    /// names.read(|before| {
    ///     names.send(["c", "d"]).unwrap();
    ///     assert_eq!(before[0], "a");
    /// });
    /// assert_eq!(names.read(|names| names[0]), "c");
    /// ```
    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        self.read_version(read).0
    }

    pub(super) fn read_version<R>(&self, read: impl FnOnce(&T) -> R) -> (R, u64) {
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
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// assert_eq!(unboxed::channel::Watch::new(10).get(), 10);
    /// ```
    pub fn get(&self) -> T
    where
        T: Clone,
    {
        self.read(T::clone)
    }

    /// How often the value was replaced.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let limit = unboxed::channel::Watch::new(10);
    /// limit.send(20).unwrap();
    /// assert_eq!(limit.version(), 1);
    /// ```
    pub fn version(&self) -> u64 {
        self.guarded.with(|watch| watch.state.version)
    }

    /// No value will follow. False when it was closed before. The value stays readable.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let limit = unboxed::channel::Watch::new(10);
    /// assert!(limit.close() && !limit.close());
    /// assert_eq!(limit.get(), 10);
    /// ```
    pub fn close(&self) -> bool {
        self.guarded.serve(|watch| !core::mem::replace(&mut watch.state.closed, true), tell_next)
    }

    /// Someone who waits for values newer than the present one.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let limit = unboxed::channel::Watch::new(10);
    /// let watcher = limit.watcher();
    /// assert!(!watcher.has_changed());
    /// limit.send(20).unwrap();
    /// assert!(watcher.has_changed());
    /// ```
    pub fn watcher(&self) -> Watcher<'_, T, D> {
        Watcher::new(self, self.version())
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
