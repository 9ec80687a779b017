//! The bare loop on epoll: level triggered, read, write, and no more.

use peer_support::ready;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

struct Connection {
    fd: i32,
    buffer: Box<[u8]>,
    /// What is to be written of the buffer; nothing is read meanwhile.
    rest: std::ops::Range<usize>,
}

struct Server {
    epoll: i32,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    buffer: usize,
}

const LISTENER: u64 = u64::MAX;

fn serve(buffer: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    ready(listener.local_addr().expect("an address"));
    // SAFETY: no memory is named.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    Server { epoll, listener, connections: Vec::new(), free: Vec::new(), buffer }.run();
}

impl Server {
    fn run(mut self) {
        self.control(libc::EPOLL_CTL_ADD, self.listener.as_raw_fd(), libc::EPOLLIN, LISTENER);
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 1024];
        loop {
            // SAFETY: the events outlive the call.
            let count = unsafe { libc::epoll_wait(self.epoll, events.as_mut_ptr(), 1024, -1) };
            for event in &events[..count.max(0) as usize] {
                match event.u64 {
                    LISTENER => self.accept(),
                    index => self.serve(index as usize),
                }
            }
        }
    }

    fn control(&self, what: i32, fd: i32, events: i32, token: u64) {
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        // SAFETY: the event outlives the call.
        unsafe { libc::epoll_ctl(self.epoll, what, fd, &mut event) };
    }

    fn accept(&mut self) {
        loop {
            let (none, flags) = (std::ptr::null_mut(), libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC);
            // SAFETY: no memory is named.
            let fd = unsafe { libc::accept4(self.listener.as_raw_fd(), none, none.cast(), flags) };
            if fd < 0 {
                return;
            }
            let one = 1i32;
            // SAFETY: the value outlives the call.
            unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const one).cast(), 4) };
            let connection = Connection { fd, buffer: vec![0; self.buffer].into(), rest: 0..0 };
            let index = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.connections[index] = Some(connection);
            self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN, index as u64);
        }
    }

    /// Reads once, and writes what was read; waits for room if there is none.
    fn serve(&mut self, index: usize) {
        let connection = self.connections[index].as_mut().expect("in use");
        let waited = !connection.rest.is_empty();
        if !waited {
            let buffer = &mut connection.buffer;
            // SAFETY: the buffer is as long as is said.
            let count = unsafe { libc::recv(connection.fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            if count <= 0 {
                if count == 0 || !would_block() {
                    self.close(index);
                }
                return;
            }
            connection.rest = 0..count as usize;
        }
        let rest = &connection.buffer[connection.rest.clone()];
        // SAFETY: the buffer is as long as is said.
        let count =
            unsafe { libc::send(connection.fd, rest.as_ptr().cast(), rest.len(), libc::MSG_NOSIGNAL) };
        if count < 0 && !would_block() {
            return self.close(index);
        }
        connection.rest.start += count.max(0) as usize;
        let waits = !connection.rest.is_empty();
        if waits != waited {
            let events = if waits { libc::EPOLLOUT } else { libc::EPOLLIN };
            let fd = connection.fd;
            self.control(libc::EPOLL_CTL_MOD, fd, events, index as u64);
        }
    }

    fn close(&mut self, index: usize) {
        if let Some(connection) = self.connections[index].take() {
            // SAFETY: the descriptor is this connection's.
            unsafe { libc::close(connection.fd) };
            self.free.push(index);
        }
    }
}

fn would_block() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
}

fn main() {
    peer_support::run(&[("echo", |work| serve(work.number("buffer") as usize)), ("idle", |_| serve(64))]);
}
