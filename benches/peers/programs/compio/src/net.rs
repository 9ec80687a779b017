//! The echo server, after compio's `examples/net.rs`, with the buffer as large as is asked for.

use crate::run;
use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use peer_support::ready;

async fn echo(mut stream: TcpStream, buffer: usize) {
    let mut buffer = Vec::with_capacity(buffer);
    loop {
        let BufResult(result, read) = stream.read(buffer).await;
        let Ok(count @ 1..) = result else { break };
        let BufResult(result, slice) = stream.write_all(read.slice(..count)).await;
        if result.is_err() {
            break;
        }
        buffer = slice.into_inner();
        buffer.clear();
    }
}

pub fn serve(buffer: usize) {
    run(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        ready(listener.local_addr().expect("an address"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            compio::runtime::spawn(echo(stream, buffer)).detach();
        }
    });
}
