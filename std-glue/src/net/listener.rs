//! A TCP listener.

use super::socket;
use super::stream::TcpStream;
use crate::rt::current_table;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use unboxed_core::file::TableControl;
use unboxed_core::io::{Accept, Listener};
use unboxed_core::op::{Error, Operation};

/// How a listener is bound.
#[derive(Debug, Clone, Copy)]
pub struct ListenerOptions {
    backlog: i32,
    reuse_address: bool,
    reuse_port: bool,
}

impl ListenerOptions {
    /// A backlog of 1024, and the address reused.
    pub const fn new() -> Self {
        Self { backlog: 1024, reuse_address: true, reuse_port: false }
    }

    /// How many connections may wait in the system.
    pub const fn backlog(mut self, connections: i32) -> Self {
        self.backlog = connections;
        self
    }

    /// Whether an address in TIME_WAIT may be bound.
    pub const fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }

    /// Whether several listeners may share the port.
    pub const fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A listening TCP socket. Dropping it cancels its armed accept, and closes it.
#[derive(Debug)]
pub struct TcpListener {
    listener: Listener,
    table: &'static TableControl,
}

impl TcpListener {
    /// Listens on `address`; port 0 lets the system choose.
    ///
    /// # Errors
    /// The system's (EADDRINUSE, EACCES, ...); [`Error::TableFull`]; [`Error::NoTask`] outside a runtime.
    pub fn bind(address: SocketAddr) -> Result<Self, Error> {
        Self::bind_with(address, ListenerOptions::new())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_with(address: SocketAddr, options: ListenerOptions) -> Result<Self, Error> {
        let table = current_table()?;
        let reservation = table.reserve()?;
        let fd = socket::open(&address)?;
        // SAFETY: R4: a new socket.
        let file = unsafe { reservation.open(fd) };
        let (reuse, share) = (i32::from(options.reuse_address), i32::from(options.reuse_port));
        socket::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, reuse)?;
        socket::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, share)?;
        socket::bind(fd, address)?;
        socket::listen(fd, options.backlog)?;
        Ok(Self { listener: Listener::new(file), table })
    }

    /// The next connection.
    ///
    /// # Errors
    /// [`Error::TableFull`] before a connection is taken from the system; the system's.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: a connection that comes meanwhile is the next accept's.
    pub fn accept(&mut self) -> AcceptStream<'_> {
        AcceptStream { accept: self.listener.accept(self.table) }
    }

    /// A stream of connections by one submission: for servers that take whatever comes. Where a limit is to
    /// be backpressure, take a block first and then [`accept`](Self::accept).
    pub fn incoming(&mut self) -> Incoming<'_> {
        Incoming { connections: self.listener.incoming() }
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        socket::local(self.listener.file().raw())
    }
}

/// See [`TcpListener::incoming`].
///
/// # Cancel safety
/// Futures of [`next`](Self::next) may be dropped at any time. Dropping the stream loses no connection that
/// had come: it is the next accept's.
#[derive(Debug)]
pub struct Incoming<'a> {
    connections: unboxed_core::io::Incoming<'a>,
}

impl Incoming<'_> {
    /// The next connection.
    ///
    /// # Errors
    /// [`Error::TableFull`], after which it may be called again: connections that came meanwhile were closed,
    /// and counted in the table's `memory().refused`. The system's.
    pub async fn next(&mut self) -> Result<TcpStream, Error> {
        self.connections.next().await.map(TcpStream::from_file)
    }
}

/// See [`TcpListener::accept`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct AcceptStream<'a> {
    accept: Accept<'a>,
}

impl Future for AcceptStream<'_> {
    type Output = Result<TcpStream, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let file = ready!(Pin::new(&mut self.accept).poll(cx))?;
        Poll::Ready(Ok(TcpStream::from_file(file)))
    }
}

impl Operation for AcceptStream<'_> {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        Pin::new(&mut self.accept).request_cancel(cx);
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        matches!(output, Err(Error::Cancelled))
    }
}
