//! What can go wrong with an operation: the system's errors, and ours, each with what to do.

use core::fmt;

/// An operation's error. It is plain data: making or passing one allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The system's error number (positive).
    Os(i32),
    /// The operation was cancelled before it had a result.
    Cancelled,
    /// The running task has all its slots in flight, and the worker no spare for it.
    SlotsExhausted {
        /// The task.
        task: &'static str,
        /// How many slots it has of its own.
        slots: u32,
    },
    /// The operation was first polled outside a task of an open runtime.
    NoTask,
    /// The task whose slot the operation had taken has ended.
    TaskEnded,
    /// The runtime was closed while the operation was in flight.
    Closed,
    /// Bytes of one task were offered to an operation of another.
    ForeignBytes,
    /// A read was dropped after so many bytes had arrived; they are lost. Use a `Reader`, `timeout` or
    /// `cancel` where that matters.
    BytesDropped(u32),
    /// The file is closing.
    FileClosed,
    /// All entries of the file table are in use.
    TableFull {
        /// How many there are.
        entries: u32,
    },
    /// A range or a length lies outside its buffer.
    OutOfRange {
        /// The end that was asked for, in bytes.
        end: usize,
        /// The buffer's length, in bytes.
        len: usize,
    },
    /// A write ended with nothing written.
    WriteZero,
    /// The other side ended the stream in the middle of what was read.
    UnexpectedEof,
}

impl Error {
    /// From a completion's result: bytes or a descriptor, or a negative error number.
    #[inline]
    pub fn check(result: i32) -> Result<u32, Self> {
        match u32::try_from(result) {
            Ok(value) => Ok(value),
            Err(_) => Err(Self::from_result(result)),
        }
    }

    #[cold]
    fn from_result(result: i32) -> Self {
        match -result {
            // ECANCELED; EINTR and ERESTARTSYS come from operations that a cancel interrupted.
            125 | 512 => Self::Cancelled,
            number => Self::Os(number),
        }
    }

    /// The system's error number, for those that have one.
    pub fn os(self) -> Option<i32> {
        match self {
            Self::Os(number) => Some(number),
            Self::Cancelled => Some(125),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Os(number) => write!(f, "system error {number}"),
            Self::Cancelled => f.write_str("the operation was cancelled"),
            Self::SlotsExhausted { task, slots } => write!(
                f,
                "task `{task}` has all its {slots} op slots in flight and the worker has no spare for \
                 it: raise `ops` on the task, or the runtime's spares"
            ),
            Self::NoTask => f.write_str(
                "an operation was polled outside a task: operations need a runtime's `block_on` or task",
            ),
            Self::TaskEnded => f.write_str("the task that began the operation has ended"),
            Self::Closed => f.write_str("the runtime was closed while the operation was in flight"),
            Self::ForeignBytes => f.write_str(
                "bytes of one task were offered to an operation of another: a task's bytes serve its \
                 own operations only",
            ),
            Self::BytesDropped(n) => write!(f, "{n} bytes arrived for a read that had been dropped"),
            Self::FileClosed => f.write_str("the file is closing"),
            Self::TableFull { entries } => write!(
                f,
                "all {entries} entries of the file table are in use: close files, or raise its size"
            ),
            Self::OutOfRange { end, len } => {
                write!(f, "byte {end} lies outside a buffer of {len} bytes")
            }
            Self::WriteZero => f.write_str("a write ended with nothing written"),
            Self::UnexpectedEof => f.write_str("the stream ended too early"),
        }
    }
}

impl core::error::Error for Error {}
