//! What the service promises to hold.

/// Bytes of the largest value, and of any other argument.
pub const MAX_VALUE: usize = 1 << 20;

/// Bytes of the longest key.
pub const MAX_KEY: usize = 1024;

/// Arguments of one request, its command's name included.
pub const MAX_ARGS: usize = 1 << 20;

/// Bytes of an inline request.
pub const MAX_INLINE: usize = 2048;

/// Bytes of a connection's name.
pub const MAX_NAME: usize = 64;

/// The room that a command finds in the write buffer, so that an error line always fits.
pub const MIN_ROOM: usize = 512;
