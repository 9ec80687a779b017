//! Plain threads may block on the channels of the domain `Threads`.

use super::{Changed, OneshotRecv, Receiving, Sending};
use crate::sync::{Blockable, Threads};

impl<T, const N: usize> Blockable for Receiving<'_, T, N, Threads> {}
impl<T, const N: usize> Blockable for Sending<'_, T, N, Threads> {}
impl<T> Blockable for OneshotRecv<'_, T, Threads> {}
impl<T> Blockable for Changed<'_, T, Threads> {}
