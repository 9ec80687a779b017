//! The note's `let v = read 1024`: the kernel writes into the task's own block, at the right offset.

use std::net::{Ipv4Addr, SocketAddr};
use unboxed::net::{TcpListener, TcpStream};
use unboxed::task::Bytes;
use unboxed_examples::Args;

const USAGE: &str = "\
Reads 1024 bytes into a task's block, and prints where everything lies.

usage: in_place_read";

/// Reads once, and says where the bytes are.
#[unboxed::task(ops = 1, bytes = 1024)]
async fn read(mut stream: TcpStream, mut v: Bytes<'_>) -> (usize, usize) {
    let count = stream.read(&mut v).await.expect("a read");
    println!("the kernel wrote {count} bytes: {:?}", String::from_utf8_lossy(&v[..count]));
    (v.as_ptr().addr(), v.len())
}

#[unboxed::task(ops = 2, bytes = 64)]
async fn send(to: SocketAddr, mut bytes: Bytes<'_>) {
    let text = b"straight into the block";
    bytes[..text.len()].copy_from_slice(text);
    let mut stream = TcpStream::connect(to).await.expect("a connection");
    stream.write_all(&mut bytes).first(text.len()).await.expect("a write");
}

#[unboxed::main]
async fn main() {
    Args::parse(USAGE).finish();
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let sender = send::spawn(listener.local_addr().expect("an address")).expect("a block");
    let stream = listener.accept().await.expect("a connection");
    let task = read::spawn(stream).expect("a block");
    let memory = read::memory();
    let (data, len) = task.await.expect("no panic");
    sender.await.expect("no panic");

    let offset = data - memory.address;
    println!("the block    {:#x}, {} bytes", memory.address, memory.block_bytes);
    println!("  header     {:#x}, 64 bytes with its bookkeeping", memory.address);
    println!("  op slot    {:#x}, 128 bytes", memory.address + 64);
    println!("  v          {data:#x}, {len} bytes, at offset {offset}");
    println!("  future     {:#x}, {} bytes", data + len, memory.block_bytes - offset - len);
    assert_eq!(offset, 64 + 128, "v lies behind the header and one slot");
}
