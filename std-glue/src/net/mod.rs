//! TCP over the file table: listeners, streams, their halves.
//!
//! Descriptors are entries of the runtime's table (R4), so a socket whose handle is dropped with operations in
//! flight closes when they have ended, and blocks nobody. Making and binding a socket is a plain system call;
//! everything that may wait goes through the ring, but for names, which the system resolves on a
//! [thread that may block](crate::blocking).

mod addr;
mod listener;
mod resolve;
mod socket;
mod stream;

pub use listener::{Incoming, ListenerOptions, TcpListener};
pub use resolve::{ADDRESSES_MAX, Addresses, ResolveError, resolve};
pub use stream::{ReadHalf, TcpStream, WriteHalf};
