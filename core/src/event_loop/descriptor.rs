//! Operations as plain data: a ring turns one into an entry, another loop interprets it.

use core::net::SocketAddr;

/// A file descriptor of the loop's system.
pub type RawFile = i32;

/// One piece of a vectored operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct IoRange {
    /// First byte.
    pub data: *mut u8,
    /// Bytes.
    pub len: usize,
}

/// The most pieces of one vectored operation.
pub const IO_RANGES_MAX: usize = 8;

/// An address that a connect carries by value.
pub type Address = SocketAddr;

/// What is to be done. Pointers name memory that outlives the operation's terminal completion (R0).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Descriptor {
    /// Nothing; completes with 0.
    Nop,
    /// Reads from a file at an offset (`u64::MAX`: at its position).
    Read {
        /// From where.
        file: RawFile,
        /// Where the bytes go.
        data: *mut u8,
        /// At most so many bytes.
        len: u32,
        /// Position in bytes.
        offset: u64,
    },
    /// Writes to a file at an offset (`u64::MAX`: at its position).
    Write {
        /// To where.
        file: RawFile,
        /// Where the bytes lie.
        data: *const u8,
        /// So many bytes.
        len: u32,
        /// Position in bytes.
        offset: u64,
    },
    /// Receives from a socket.
    Recv {
        /// From where.
        file: RawFile,
        /// Where the bytes go.
        data: *mut u8,
        /// At most so many bytes.
        len: u32,
    },
    /// Sends to a socket. Never raises SIGPIPE.
    Send {
        /// To where.
        file: RawFile,
        /// Where the bytes lie.
        data: *const u8,
        /// So many bytes.
        len: u32,
    },
    /// Sends without copying; the terminal completion is the system's notification.
    SendZeroCopy {
        /// To where.
        file: RawFile,
        /// Where the bytes lie.
        data: *const u8,
        /// So many bytes.
        len: u32,
    },
    /// Sends several pieces in order to a socket. Never raises SIGPIPE.
    SendVectored {
        /// To where.
        file: RawFile,
        /// The pieces; the first `count` are used.
        ranges: [IoRange; IO_RANGES_MAX],
        /// How many.
        count: u8,
    },
    /// Accepts a connection; completes with its descriptor.
    Accept {
        /// The listening socket.
        file: RawFile,
        /// Goes on accepting, with one completion a connection, until cancelled.
        multishot: bool,
    },
    /// Connects a socket.
    Connect {
        /// The socket.
        file: RawFile,
        /// To where.
        address: Address,
    },
    /// Ends one or both directions of a connection (`how` as in the system's call: 0, 1, 2).
    Shutdown {
        /// The socket.
        file: RawFile,
        /// Which direction.
        how: i32,
    },
    /// Completes when one of the poll events shows.
    Poll {
        /// The file.
        file: RawFile,
        /// The system's event bits.
        events: u32,
        /// Goes on reporting until cancelled.
        multishot: bool,
    },
    /// Flushes a file to its storage.
    Fsync {
        /// The file.
        file: RawFile,
    },
    /// For a loop of the user's own: a code and its arguments.
    Custom {
        /// Which operation.
        code: u32,
        /// Its arguments.
        args: [u64; 4],
    },
}
