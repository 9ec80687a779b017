//! The server and the client that one would write by hand over the `io-uring` crate.

use io_uring::{IoUring, opcode, squeue, types::Fd};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use super::compare::{ENTRIES, SIZE};

pub struct Connection {
    socket: TcpStream,
    bytes: [u8; SIZE],
}

impl Connection {
    pub fn new(socket: TcpStream) -> Self {
        socket.set_nodelay(true).expect("a socket");
        Self { socket, bytes: [7; SIZE] }
    }

    fn recv(&mut self, index: usize, flags: i32) -> squeue::Entry {
        let (file, data) = (Fd(self.socket.as_raw_fd()), self.bytes.as_mut_ptr());
        opcode::Recv::new(file, data, SIZE as u32).flags(flags).build().user_data(index as u64 * 2)
    }

    fn send(&mut self, index: usize, len: u32) -> squeue::Entry {
        let (file, data) = (Fd(self.socket.as_raw_fd()), self.bytes.as_ptr());
        opcode::Send::new(file, data, len).flags(libc::MSG_NOSIGNAL).build().user_data(index as u64 * 2 + 1)
    }
}

pub fn ring() -> IoUring {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_no_sqarray();
    builder.build(ENTRIES).expect("a ring")
}

/// Pushes, with a system call only when there is no place.
macro_rules! put {
    ($submitter:expr, $queue:expr, $entry:expr) => {{
        let entry = $entry;
        if $queue.is_full() {
            $queue.sync();
            $submitter.submit().expect("enter");
            $queue.sync();
        }
        // SAFETY: R0: bytes and socket lie in the connections, which outlive the loop, and the loop ends when no
        // operation is in flight.
        unsafe { $queue.push(&entry) }.expect("a place");
    }};
}

pub fn accept(listener: &TcpListener, connections: usize) -> Vec<Connection> {
    (0..connections).map(|_| Connection::new(listener.accept().expect("a connection").0)).collect()
}

/// Echoes until all peers have ended.
pub fn serve(connections: &mut [Connection]) {
    let mut ring = ring();
    let mut alive = connections.len();
    let (submitter, mut queue, mut completions) = ring.split();
    for (index, connection) in connections.iter_mut().enumerate() {
        put!(submitter, queue, connection.recv(index, 0));
    }
    while alive > 0 {
        queue.sync();
        submitter.submit_and_wait(1).expect("enter");
        queue.sync();
        completions.sync();
        for completion in &mut completions {
            let (index, sent) = ((completion.user_data() / 2) as usize, completion.user_data() % 2 == 1);
            match (completion.result(), sent) {
                (1.., true) => put!(submitter, queue, connections[index].recv(index, 0)),
                (count @ 1.., false) => put!(submitter, queue, connections[index].send(index, count as u32)),
                _ => alive -= 1,
            }
        }
        completions.sync();
    }
}

pub fn connect(address: SocketAddr, connections: usize) -> Vec<Connection> {
    (0..connections).map(|_| Connection::new(TcpStream::connect(address).expect("a connection"))).collect()
}

/// So many requests, each connection's next one when its last has been answered; then all close.
pub fn ask(mut connections: Vec<Connection>, requests: u32) {
    let mut ring = ring();
    let (submitter, mut queue, mut completions) = ring.split();
    let (mut begun, mut open) = (0, connections.len());
    for (index, connection) in connections.iter_mut().enumerate() {
        put!(submitter, queue, connection.send(index, SIZE as u32));
        begun += 1;
    }
    while open > 0 {
        queue.sync();
        submitter.submit_and_wait(1).expect("enter");
        queue.sync();
        completions.sync();
        for completion in &mut completions {
            let (index, sent) = ((completion.user_data() / 2) as usize, completion.user_data() % 2 == 1);
            assert_eq!(completion.result(), SIZE as i32, "a whole message");
            if sent {
                put!(submitter, queue, connections[index].recv(index, libc::MSG_WAITALL));
            } else if begun < requests {
                begun += 1;
                put!(submitter, queue, connections[index].send(index, SIZE as u32));
            } else {
                open -= 1;
            }
        }
        completions.sync();
    }
}
