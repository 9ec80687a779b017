//! The echo server: one multishot accept, and for each connection a receive, then a send of what came.

use crate::ring;
use io_uring::{IoUring, cqueue, opcode, squeue, types::Fd};
use peer_support::ready;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

const ACCEPT: u64 = u64::MAX;

struct Connection {
    fd: i32,
    buffer: Box<[u8]>,
    /// What is to be sent of the buffer; none while a receive is in flight.
    rest: std::ops::Range<usize>,
}

struct Server {
    ring: IoUring,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    buffer: usize,
}

pub fn serve(buffer: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    ready(listener.local_addr().expect("an address"));
    Server { ring: ring(), listener, connections: Vec::new(), free: Vec::new(), buffer }.run();
}

impl Server {
    fn run(mut self) {
        self.accept();
        let mut batch = Vec::with_capacity(2048);
        loop {
            self.ring.submit_and_wait(1).expect("enter");
            batch.extend(self.ring.completion());
            for completion in batch.drain(..) {
                match completion.user_data() {
                    ACCEPT => self.accepted(&completion),
                    index => self.moved(index as usize, completion.result()),
                }
            }
        }
    }

    fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: what the entry names lies in a connection's box, which stays until nothing is in flight.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.ring.submit().expect("enter");
        }
    }

    fn accept(&mut self) {
        let listener = Fd(self.listener.as_raw_fd());
        self.push(opcode::AcceptMulti::new(listener).build().user_data(ACCEPT));
    }

    fn accepted(&mut self, completion: &cqueue::Entry) {
        let fd = completion.result();
        assert!(fd >= 0, "accept: {}", std::io::Error::from_raw_os_error(-fd));
        nodelay(fd);
        let connection = Connection { fd, buffer: vec![0; self.buffer].into(), rest: 0..0 };
        let index = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        self.connections[index] = Some(connection);
        self.receive(index);
        if !cqueue::more(completion.flags()) {
            self.accept();
        }
    }

    fn receive(&mut self, index: usize) {
        let connection = self.connections[index].as_mut().expect("in use");
        let (data, len) = (connection.buffer.as_mut_ptr(), connection.buffer.len() as u32);
        let entry = opcode::Recv::new(Fd(connection.fd), data, len);
        self.push(entry.build().user_data(index as u64));
    }

    fn send(&mut self, index: usize) {
        let connection = self.connections[index].as_ref().expect("in use");
        let rest = &connection.buffer[connection.rest.clone()];
        let entry = opcode::Send::new(Fd(connection.fd), rest.as_ptr(), rest.len() as u32);
        self.push(entry.flags(libc::MSG_NOSIGNAL).build().user_data(index as u64));
    }

    /// A receive or a send has ended.
    fn moved(&mut self, index: usize, result: i32) {
        let connection = self.connections[index].as_mut().expect("in use");
        if result <= 0 {
            // SAFETY: the descriptor is this connection's, and nothing is in flight on it.
            unsafe { libc::close(connection.fd) };
            self.connections[index] = None;
            self.free.push(index);
            return;
        }
        if connection.rest.is_empty() {
            connection.rest = 0..result as usize;
        } else {
            connection.rest.start += result as usize;
        }
        if connection.rest.is_empty() { self.receive(index) } else { self.send(index) }
    }
}

fn nodelay(fd: i32) {
    let one = 1i32;
    // SAFETY: the value outlives the call.
    unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const one).cast(), 4) };
}
