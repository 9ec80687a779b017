//! An echo of 64 bytes, by a task a connection and by a bare loop over the same ring.
//!
//! All requests of a connection lie in its socket before the count begins, and a read takes one of them. So nothing
//! depends on when a peer runs, and the steps are those of a busy server: as many enters, batches as large.

use io_uring::{IoUring, opcode, squeue, types::Fd};
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use unboxed::JoinHandle;
use unboxed::net::{TcpListener, TcpStream};
use unboxed::rt::Runtime;
use unboxed::task::Bytes;

use crate::CALLS;

const SIZE: usize = 64;
const MANY: usize = 64;
/// What one connection has in its socket, at most; more would not fit.
const QUEUED_MAX: u32 = 640;

type Client = std::net::TcpStream;

#[unboxed::task(pool = MANY, ops = 1, bytes = SIZE)]
async fn echo(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&mut bytes).first(count).await.is_err() {
            break;
        }
    }
}

/// A client that has sent so many requests, and will send no more.
fn client(address: SocketAddr, requests: u32) -> Client {
    let mut client = Client::connect(address).expect("a connection");
    client.write_all(&vec![7; SIZE * requests as usize]).expect("room in the socket");
    client.shutdown(Shutdown::Write).expect("a connection");
    client
}

async fn connected(connections: usize, requests: u32) -> (Vec<JoinHandle<()>>, Vec<Client>) {
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let (mut served, mut clients) = (Vec::new(), Vec::new());
    for _ in 0..connections {
        clients.push(client(address, requests));
        let stream = listener.accept().await.expect("a connection");
        served.push(echo::spawn(stream).expect("a block"));
    }
    (served, clients)
}

async fn all(served: Vec<JoinHandle<()>>) {
    for handle in served {
        handle.await.expect("a task");
    }
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_echo(runtime: &mut Runtime, served: Vec<JoinHandle<()>>) {
    runtime.block_on(all(served));
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_echoalone(runtime: &mut Runtime, served: Vec<JoinHandle<()>>) {
    // So that the linker does not make one function of the two.
    std::hint::black_box(1);
    runtime.block_on(all(served));
}

/// A connection of the bare loop.
struct Connection {
    socket: Client,
    bytes: [u8; SIZE],
}

impl Connection {
    fn recv(&mut self, index: usize) -> squeue::Entry {
        let (file, data) = (Fd(self.socket.as_raw_fd()), self.bytes.as_mut_ptr());
        opcode::Recv::new(file, data, SIZE as u32).build().user_data(index as u64 * 2)
    }

    fn send(&mut self, index: usize, len: u32) -> squeue::Entry {
        let (file, data) = (Fd(self.socket.as_raw_fd()), self.bytes.as_ptr());
        opcode::Send::new(file, data, len).flags(libc::MSG_NOSIGNAL).build().user_data(index as u64 * 2 + 1)
    }
}

/// The loop that one would write by hand: reap what is there, answer each, enter once.
fn bare(ring: &mut IoUring, connections: &mut [Connection]) {
    let mut alive = connections.len();
    let (submitter, mut queue, mut completions) = ring.split();
    let mut put = |entry| {
        // SAFETY: R0: the bytes and the socket lie in `connections`, which outlives the loop, and the loop ends when
        // no operation is in flight.
        unsafe { queue.push(&entry) }.expect("a place for each connection");
        queue.sync();
    };
    for (index, connection) in connections.iter_mut().enumerate() {
        put(connection.recv(index));
    }
    while alive > 0 {
        submitter.submit_and_wait(1).expect("enter");
        completions.sync();
        for completion in &mut completions {
            let (index, sent) = ((completion.user_data() / 2) as usize, completion.user_data() % 2 == 1);
            match (completion.result(), sent) {
                (1.., true) => put(connections[index].recv(index)),
                (count @ 1.., false) => put(connections[index].send(index, count as u32)),
                _ => alive -= 1,
            }
        }
        completions.sync();
    }
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_bare(ring: &mut IoUring, connections: &mut [Connection]) {
    bare(ring, connections);
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_barealone(ring: &mut IoUring, connections: &mut [Connection]) {
    // So that the linker does not make one function of the two.
    std::hint::black_box(1);
    bare(ring, connections);
}

fn bare_connections(connections: usize, requests: u32) -> (Vec<Connection>, Vec<Client>) {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let connect = |_| {
        let client = client(address, requests);
        let (socket, _) = listener.accept().expect("a connection");
        (Connection { socket, bytes: [0; SIZE] }, client)
    };
    (0..connections).map(connect).unzip()
}

pub fn count_all(runtime: &mut Runtime) {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_no_sqarray();
    let mut ring = builder.build(256).expect("a ring");

    let each = CALLS / MANY as u32;
    let (served, _clients) = runtime.block_on(connected(MANY, each));
    count_echo(runtime, served);
    let (mut connections, _clients) = bare_connections(MANY, each);
    count_bare(&mut ring, &mut connections);
    for _ in 0..CALLS / QUEUED_MAX {
        let (served, _clients) = runtime.block_on(connected(1, QUEUED_MAX));
        count_echoalone(runtime, served);
        let (mut connections, _clients) = bare_connections(1, QUEUED_MAX);
        count_barealone(&mut ring, &mut connections);
    }
}
