//! A value that is made once.

use super::domain::{Domain, Shared, Tasks};
use super::guarded::{Guarded, Inner};
use super::once_turn::{TakeTurn, Turn};
use crate::atomics::{AtomicBool, Ordering};
use core::cell::UnsafeCell;
use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::task::Waker;

pub(super) const SET: u32 = 0;
pub(super) const TURN: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Empty,
    /// Somebody has the turn.
    Running,
    Set,
}

/// A value that is made once, by whoever comes first; the others wait for it.
///
/// Fair: if the first fails, is cancelled, or panics, the next one by age tries, with its own initialiser.
///
/// ```
/// # use unboxed_core as unboxed;
/// use unboxed::sync::OnceCell;
///
/// static CONFIG: OnceCell<u32> = OnceCell::new();
///
/// async fn config() -> &'static u32 {
///     CONFIG.get_or_init(async || 42).await
/// }
///
/// assert_eq!(CONFIG.get(), None);
/// CONFIG.set(7).unwrap();
/// assert_eq!(CONFIG.get(), Some(&7));
/// # let _ = config();
/// ```
pub struct OnceCell<T, D: Domain = Tasks> {
    /// Whether there is a value, for those who only look.
    pub(super) ready: AtomicBool,
    pub(super) state: Guarded<D, State>,
    pub(super) value: UnsafeCell<Option<T>>,
}

// SAFETY: ONCE-1: the value is written by the one who has the turn, and only read once `ready`.
unsafe impl<T: Send + Sync, D: Shared> Sync for OnceCell<T, D> {}

/// Why [`OnceCell::set`] did not; the value comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetError<T> {
    /// There is a value already.
    AlreadySet(T),
    /// Somebody is making one.
    Initializing(T),
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadySet(_) => "the cell has a value already",
            Self::Initializing(_) => "somebody is making the cell's value",
        })
    }
}

impl<T: fmt::Debug> core::error::Error for SetError<T> {}

impl<T> OnceCell<T> {
    /// An empty cell for all tasks; for other domains see [`with_domain`](Self::with_domain).
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// static NAME: unboxed::sync::OnceCell<&str> = unboxed::sync::OnceCell::new();
    /// assert_eq!(NAME.get(), None);
    /// ```
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self::with_domain()
    }
}

impl<T, D: Domain> OnceCell<T, D> {
    crate::atomics::const_unless_loom! {
        /// An empty cell of the domain that its type names.
        ///
        /// ```
        /// # use unboxed_core as unboxed;
        /// use unboxed::sync::{Local, OnceCell};
        /// let name: OnceCell<&str, Local> = OnceCell::with_domain();
        /// assert_eq!(name.get(), None);
        /// ```
        pub fn with_domain() -> Self {
            Self {
                ready: AtomicBool::new(false),
                state: Guarded::new(State::Empty),
                value: UnsafeCell::new(None),
            }
        }
    }

    /// The value, if it was made.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let cell = unboxed::sync::OnceCell::new();
    /// assert_eq!(cell.get(), None);
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if !self.ready.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: ONCE-1.
        unsafe { (*self.value.get()).as_ref() }
    }

    pub(super) fn made(&self) -> &T {
        self.get().expect("unboxed: a cell without its value")
    }

    /// The value, for who has the cell alone.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// let mut cell = unboxed::sync::OnceCell::new();
    /// cell.set(1).unwrap();
    /// *cell.get_mut().unwrap() += 1;
    /// assert_eq!(cell.get(), Some(&2));
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// The value, if it was made.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// assert_eq!(unboxed::sync::OnceCell::<u8>::new().into_inner(), None);
    /// ```
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Sets the value, if nobody did, or is about to.
    ///
    /// # Errors
    /// [`SetError`], with the value.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use unboxed::sync::{OnceCell, SetError};
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(SetError::AlreadySet(2)));
    /// ```
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        match self.state.with(begin) {
            None => Err(SetError::Initializing(value)),
            Some(SET) => Err(SetError::AlreadySet(value)),
            Some(_) => {
                Turn::new(self).set(value);
                Ok(())
            }
        }
    }

    /// The value; if there is none, and nobody makes one, `init` does.
    ///
    /// # Panics
    /// With `init`'s panic; the next one makes the value then.
    ///
    /// # Cancel safety
    /// If the future is dropped while `init` runs, that is dropped too, and the next one makes the value.
    /// An `init` that awaits its own cell waits for ever.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use core::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let cell = unboxed::sync::OnceCell::new();
    /// let made = pin!(cell.get_or_init(async || 1)).poll(&mut cx);
    /// assert_eq!(made, Poll::Ready(&1));
    /// ```
    pub async fn get_or_init<F: Future<Output = T>>(&self, init: impl FnOnce() -> F) -> &T {
        match self.get_or_try_init(async || Ok::<T, Infallible>(init().await)).await {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`get_or_init`](Self::get_or_init), with an `init` that may fail; the next one makes the value then.
    ///
    /// # Errors
    /// `init`'s.
    ///
    /// # Panics
    /// With `init`'s panic; the next one makes the value then.
    ///
    /// # Cancel safety
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # use core::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let cell = unboxed::sync::OnceCell::new();
    /// let failed = pin!(cell.get_or_try_init(async || Err("no"))).poll(&mut cx);
    /// assert_eq!(failed, Poll::Ready(Err("no")));
    /// let made = pin!(cell.get_or_try_init(async || Ok::<_, &str>(1))).poll(&mut cx);
    /// assert_eq!(made, Poll::Ready(Ok(&1)));
    /// ```
    pub async fn get_or_try_init<E, F: Future<Output = Result<T, E>>>(
        &self,
        init: impl FnOnce() -> F,
    ) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        match self.turn().await {
            Ok(value) => Ok(value),
            Err(turn) => {
                let value = init().await?;
                Ok(turn.set(value))
            }
        }
    }

    /// The value, or the right to make it: what [`get_or_try_init`](Self::get_or_try_init) is made of.
    ///
    /// # Errors
    /// The caller's [`Turn`], if there is no value and nobody makes one.
    ///
    /// # Cancel safety
    /// Dropping the future gives up its place; if the turn was its own already, the next one gets it.
    ///
    /// # Fairness
    /// The longest waiter has the next turn.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// async fn answer(cell: &unboxed::sync::OnceCell<u32>) -> &u32 {
    ///     match cell.turn().await {
    ///         Ok(value) => value,
    ///         Err(turn) => turn.set(42),
    ///     }
    /// }
    /// # let _ = answer(&unboxed::sync::OnceCell::new());
    /// ```
    pub fn turn(&self) -> TakeTurn<'_, T, D> {
        TakeTurn::new(self)
    }
}

/// What there is to do: nothing, or the turn is the caller's. None while somebody else has it.
pub(super) fn begin(inner: &mut Inner<State>) -> Option<u32> {
    match inner.state {
        State::Set => Some(SET),
        State::Running => None,
        State::Empty => {
            inner.state = State::Running;
            Some(TURN)
        }
    }
}

/// All, once it is set; one, once nobody has the turn.
pub(super) fn step(inner: &mut Inner<State>) -> Option<Waker> {
    inner.list.request()?;
    let answer = begin(inner)?;
    inner.list.serve(answer)
}

impl<T, D: Domain> Default for OnceCell<T, D> {
    fn default() -> Self {
        Self::with_domain()
    }
}

impl<T: fmt::Debug, D: Domain> fmt::Debug for OnceCell<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.get()).finish()
    }
}

#[cfg(all(test, loom))]
#[path = "once_cell_loom.rs"]
mod models;
