//! Why nothing was sent or received. A value that was not sent comes back in the error.

use core::fmt;

/// Nothing was sent; the value comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<T> {
    /// There is no room now; only of `try_send`.
    Full(T),
    /// The channel is closed, or the other half is gone.
    Closed(T),
    /// The send was cancelled before there was room.
    Cancelled(T),
}

impl<T> SendError<T> {
    /// The value.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// assert_eq!(unboxed::channel::SendError::Full(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) | Self::Cancelled(value) => value,
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Full(_) => "the channel is full",
            Self::Closed(_) => "the channel is closed",
            Self::Cancelled(_) => "the send was cancelled",
        }
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
            Self::Cancelled(_) => "Cancelled(..)",
        })
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl<T> core::error::Error for SendError<T> {}

/// Nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecvError {
    /// There is nothing now; only of `try_recv`.
    Empty,
    /// Nothing will ever come: the channel is closed and drained, or the other half is gone.
    Closed,
    /// The receive was cancelled before there was anything.
    Cancelled,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the channel is empty",
            Self::Closed => "the channel is closed",
            Self::Cancelled => "the receive was cancelled",
        })
    }
}

impl core::error::Error for RecvError {}
