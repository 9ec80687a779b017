//! The echo servers: a task a connection, with its buffer in its block.

use crate::run;
use peer_support::{Work, fail, ready};
use unboxed::net::{TcpListener, TcpStream};
use unboxed::task::Bytes;

/// Echoes until the peer has ended. In the task itself, which keeps a future of its own out of the block.
macro_rules! echo {
    ($stream:ident, $bytes:ident) => {
        while let Ok(count @ 1..) = $stream.read(&mut $bytes).await {
            if $stream.write_all(&mut $bytes).first(count).await.is_err() {
                break;
            }
        }
    };
}

#[unboxed::task(pool = 1100, ops = 1, bytes = 4096)]
async fn echo_4096(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    echo!(stream, bytes);
}

#[unboxed::task(pool = 1100, ops = 1, bytes = 65_536)]
async fn echo_65536(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    echo!(stream, bytes);
}

#[unboxed::task(pool = 10_100, ops = 1, bytes = 64)]
async fn echo_64(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    echo!(stream, bytes);
}

macro_rules! serve {
    ($echo:ident) => {
        run(async {
            let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("a port");
            ready(listener.local_addr().expect("an address"));
            loop {
                let block = $echo::reserve().await;
                let stream = listener.accept().await.expect("a connection");
                stream.set_nodelay(true).expect("a socket");
                block.spawn((stream,)).expect("inside the runtime").detach();
            }
        })
    };
}

pub fn echo_server(work: &Work) {
    match work.number("buffer") {
        4096 => serve!(echo_4096),
        65_536 => serve!(echo_65536),
        _ => fail("buffer=4096 or buffer=65536"),
    }
}

pub fn idle_server(_: &Work) {
    serve!(echo_64);
}
