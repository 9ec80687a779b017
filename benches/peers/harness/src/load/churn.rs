//! Connections that live for one exchange. They are reset at their end, so that none waits a minute in the system.

use super::{Clock, Exchange, Outcome, Window, push, ring, wait};
use io_uring::{IoUring, opcode, squeue::Flags, types::Fd};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

struct Churn<'a> {
    ring: IoUring,
    address: libc::sockaddr_in,
    exchange: &'a Exchange,
    sink: Vec<u8>,
    fds: Vec<i32>,
}

const QUIET: u64 = u64::MAX;

/// Runs for the window's time with so many connections at once.
///
/// # Errors
/// The system's, or an answer that was cut short.
pub fn churn(
    address: SocketAddr,
    connections: usize,
    exchange: &Exchange,
    window: &mut Window<'_>,
) -> io::Result<Outcome> {
    let SocketAddr::V4(v4) = address else {
        return Err(io::Error::other("an address of version 4 is expected"));
    };
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: v4.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
        sin_zero: [0; 8],
    };
    let (sink, fds) = (vec![0; exchange.answer], vec![-1; connections]);
    let mut churn = Box::new(Churn { ring: ring()?, address, exchange, sink, fds });
    let mut outcome = Outcome::new();
    match churn.run(&mut outcome, &mut Clock::new(window)) {
        Ok(()) => Ok(outcome),
        Err(error) => {
            // LOAD-1.
            std::mem::forget(churn);
            Err(error)
        }
    }
}

impl Churn<'_> {
    fn run(&mut self, outcome: &mut Outcome, clock: &mut Clock<'_, '_>) -> io::Result<()> {
        let mut begun = vec![Instant::now(); self.fds.len()];
        let mut done = Vec::new();
        (0..self.fds.len()).try_for_each(|index| self.begin(index))?;
        loop {
            self.reap(&mut done)?;
            let now = Instant::now();
            outcome.requests += done.len() as u64;
            done.iter().for_each(|&index| outcome.latencies.record(now - begun[index]));
            if clock.tick(now, outcome) {
                break;
            }
            for index in done.drain(..) {
                begun[index] = now;
                self.begin(index)?;
            }
        }
        // LOAD-1.
        let mut left = self.fds.len() - done.len();
        while left > 0 {
            done.clear();
            self.reap(&mut done)?;
            left -= done.len();
        }
        Ok(())
    }

    /// Connect, send, receive as one chain; only its end says something.
    fn begin(&mut self, index: usize) -> io::Result<()> {
        self.fds[index] = socket()?;
        let fd = Fd(self.fds[index]);
        let (data, len) = ((&raw const self.address).cast(), size_of::<libc::sockaddr_in>() as u32);
        let connect = opcode::Connect::new(fd, data, len).build();
        let request = &self.exchange.request;
        let send =
            opcode::Send::new(fd, request.as_ptr(), request.len() as u32).flags(libc::MSG_NOSIGNAL).build();
        let recv = opcode::Recv::new(fd, self.sink.as_mut_ptr(), self.sink.len() as u32);
        let recv = recv.flags(libc::MSG_WAITALL).build().user_data(index as u64);
        let linked = Flags::IO_LINK | Flags::SKIP_SUCCESS;
        push(&mut self.ring, &connect.flags(linked).user_data(QUIET))?;
        push(&mut self.ring, &send.flags(linked).user_data(QUIET))?;
        push(&mut self.ring, &recv)
    }

    fn reap(&mut self, done: &mut Vec<usize>) -> io::Result<()> {
        wait(&mut self.ring, 1)?;
        for completion in self.ring.completion() {
            let (index, result) = (completion.user_data(), completion.result());
            if result < 0 {
                return Err(io::Error::from_raw_os_error(-result));
            }
            if index == QUIET {
                continue;
            }
            if result as usize != self.exchange.answer {
                return Err(io::Error::other(format!("an answer of {result} bytes")));
            }
            // SAFETY: the descriptor is ours, and its chain has ended.
            unsafe { libc::close(self.fds[index as usize]) };
            done.push(index as usize);
        }
        Ok(())
    }
}

fn socket() -> io::Result<i32> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let data = (&raw const linger).cast();
    // SAFETY: the value outlives the call.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        let len = size_of::<libc::linger>() as u32;
        if fd < 0 || libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, data, len) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(fd)
    }
}
