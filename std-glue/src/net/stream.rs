//! A TCP connection and its halves.

use super::socket;
use crate::rt::current_table;
use std::net::{Shutdown, SocketAddr};
use unboxed_core::buf::Lease;
use unboxed_core::event_loop::Descriptor;
use unboxed_core::file::FileHandle;
use unboxed_core::io::{
    FileOp, IntoLend, Piece, Reader, SendVectored, Transfer, TransferKind, WriteAll, file_op, send_vectored,
    transfer, write_all,
};
use unboxed_core::op::Error;

/// A TCP connection. Dropping it closes it once its operations have ended, and waits for nothing.
#[derive(Debug)]
pub struct TcpStream {
    file: FileHandle,
}

impl TcpStream {
    pub(super) fn from_file(file: FileHandle) -> Self {
        Self { file }
    }

    /// Connects to `address`.
    ///
    /// # Errors
    /// The system's (ECONNREFUSED, ETIMEDOUT, ...); [`Error::TableFull`]; [`Error::NoTask`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket.
    pub async fn connect(address: SocketAddr) -> Result<Self, Error> {
        let reservation = current_table()?.reserve()?;
        let fd = socket::open(&address)?;
        // SAFETY: R4: a new socket.
        let file = unsafe { reservation.open(fd) };
        // SAFETY: the descriptor names the given file, and the address by value.
        unsafe { file_op(&file, |file| Descriptor::Connect { file, address }) }.await?;
        Ok(Self { file })
    }

    /// Reads into a buffer: `&mut Bytes`, or an owned one, which comes back with the result. May bring fewer
    /// bytes than fit; zero is the end of the stream.
    pub fn read<B: IntoLend>(&mut self, buffer: B) -> Transfer<'_, B::Lend> {
        transfer(&mut self.file, TransferKind::Recv, buffer)
    }

    /// Writes from a buffer; may take fewer bytes than there are.
    pub fn write<B: IntoLend>(&mut self, buffer: B) -> Transfer<'_, B::Lend> {
        transfer(&mut self.file, TransferKind::Send, buffer)
    }

    /// Writes everything that the buffer holds, or the range that is given with `first` or `range`.
    pub fn write_all<B: IntoLend>(&mut self, buffer: B) -> WriteAll<'_, B::Lend> {
        write_all(&mut self.file, TransferKind::Send, buffer)
    }

    /// Writes pieces of the task's bytes in order, with one operation; may take fewer bytes than there are.
    ///
    /// ```
    /// # use unboxed::{Bytes, Error, net::TcpStream};
    /// async fn frame<'t>(
    ///     stream: &mut TcpStream,
    ///     header: &mut Bytes<'t>,
    ///     body: &mut Bytes<'t>,
    /// ) -> Result<usize, Error> {
    ///     stream.write_all_vectored([header.piece(0..4), body.piece(0..100)]).await
    /// }
    /// ```
    pub fn write_vectored<'a, 'b, 't, const N: usize>(
        &'a mut self,
        pieces: [Piece<'b, 't>; N],
    ) -> SendVectored<'a, 'b, 't, N> {
        send_vectored(&mut self.file, pieces, false)
    }

    /// As [`write_vectored`](Self::write_vectored), until all is written.
    pub fn write_all_vectored<'a, 'b, 't, const N: usize>(
        &'a mut self,
        pieces: [Piece<'b, 't>; N],
    ) -> SendVectored<'a, 'b, 't, N> {
        send_vectored(&mut self.file, pieces, true)
    }

    /// Writes without copying; ends when the kernel has let go of the buffer.
    pub fn write_zero_copy<B: IntoLend>(&mut self, buffer: B) -> Transfer<'_, B::Lend> {
        transfer(&mut self.file, TransferKind::SendZeroCopy, buffer)
    }

    /// Ends one or both directions.
    pub fn shutdown(&mut self, how: Shutdown) -> FileOp<'_> {
        shutdown(&self.file, how)
    }

    /// Sends small writes at once, or gathers them.
    ///
    /// # Errors
    /// The system's.
    pub fn set_nodelay(&self, nodelay: bool) -> Result<(), Error> {
        let value = i32::from(nodelay);
        socket::set_option(self.file.raw(), libc::IPPROTO_TCP, libc::TCP_NODELAY, value)
    }

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    /// The system's.
    pub fn nodelay(&self) -> Result<bool, Error> {
        Ok(socket::get_option(self.file.raw(), libc::IPPROTO_TCP, libc::TCP_NODELAY)? != 0)
    }

    /// This side's address.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        socket::local(self.file.raw())
    }

    /// The other side's address.
    ///
    /// # Errors
    /// The system's.
    pub fn peer_addr(&self) -> Result<SocketAddr, Error> {
        socket::peer(self.file.raw())
    }

    /// Halves that may be used at the same time; the socket closes with the last.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let (read, write) = self.file.split();
        (ReadHalf { file: read }, WriteHalf { file: write })
    }

    /// Closes it once its operations have ended; the same as dropping it.
    pub fn close(self) {}
}

fn shutdown(file: &FileHandle, how: Shutdown) -> FileOp<'_> {
    let how = match how {
        Shutdown::Read => libc::SHUT_RD,
        Shutdown::Write => libc::SHUT_WR,
        Shutdown::Both => libc::SHUT_RDWR,
    };
    // SAFETY: the descriptor names the given file.
    unsafe { file_op(file, |file| Descriptor::Shutdown { file, how }) }
}

/// The reading half of a connection.
#[derive(Debug)]
pub struct ReadHalf {
    file: FileHandle,
}

impl ReadHalf {
    /// As [`TcpStream::read`].
    pub fn read<B: IntoLend>(&mut self, buffer: B) -> Transfer<'_, B::Lend> {
        transfer(&mut self.file, TransferKind::Recv, buffer)
    }

    /// A buffered reader that loses nothing when a future is dropped.
    pub fn buffered(self, buffer: Lease) -> Reader {
        Reader::new(self.file, buffer)
    }
}

/// The writing half of a connection.
#[derive(Debug)]
pub struct WriteHalf {
    file: FileHandle,
}

impl WriteHalf {
    /// As [`TcpStream::write`].
    pub fn write<B: IntoLend>(&mut self, buffer: B) -> Transfer<'_, B::Lend> {
        transfer(&mut self.file, TransferKind::Send, buffer)
    }

    /// As [`TcpStream::write_all`].
    pub fn write_all<B: IntoLend>(&mut self, buffer: B) -> WriteAll<'_, B::Lend> {
        write_all(&mut self.file, TransferKind::Send, buffer)
    }

    /// As [`TcpStream::write_vectored`].
    pub fn write_vectored<'a, 'b, 't, const N: usize>(
        &'a mut self,
        pieces: [Piece<'b, 't>; N],
    ) -> SendVectored<'a, 'b, 't, N> {
        send_vectored(&mut self.file, pieces, false)
    }

    /// As [`TcpStream::write_all_vectored`].
    pub fn write_all_vectored<'a, 'b, 't, const N: usize>(
        &'a mut self,
        pieces: [Piece<'b, 't>; N],
    ) -> SendVectored<'a, 'b, 't, N> {
        send_vectored(&mut self.file, pieces, true)
    }

    /// As [`TcpStream::shutdown`].
    pub fn shutdown(&mut self, how: Shutdown) -> FileOp<'_> {
        shutdown(&self.file, how)
    }
}
