//! Which futures a plain thread may block on.

use super::domain::Threads;
use super::{Acquire, Lock, Notified, Read, TakeTurn, Write};
use core::future::Future;
use core::pin::Pin;

/// A future that waits for a primitive of the domain [`Threads`] and for nothing else, so that a plain thread may
/// block on it. How it blocks is the port's: see `unboxed::sync::Blocking` and [`ParkingWord`](super::ParkingWord).
///
/// A pinned borrow of one may be blocked on too, so that the future outlives a time limit and keeps its place.
pub trait Blockable: Future {}

impl<F: Blockable + ?Sized> Blockable for Pin<&mut F> {}

impl<T: ?Sized> Blockable for Lock<'_, T, Threads> {}
impl<T: ?Sized> Blockable for Read<'_, T, Threads> {}
impl<T: ?Sized> Blockable for Write<'_, T, Threads> {}
impl Blockable for Acquire<'_, Threads> {}
impl Blockable for Notified<'_, Threads> {}
impl<T> Blockable for TakeTurn<'_, T, Threads> {}
