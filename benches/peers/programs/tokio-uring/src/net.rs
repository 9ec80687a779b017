//! The echo server: tokio-uring's `examples/tcp_listener.rs`, with the buffer as large as is asked for.

use crate::run;
use peer_support::ready;
use tokio_uring::buf::BoundedBuf;
use tokio_uring::net::{TcpListener, TcpStream};

async fn echo(stream: TcpStream, buffer: usize) {
    let mut buffer = vec![0u8; buffer];
    loop {
        let (result, read) = stream.read(buffer).await;
        let Ok(count @ 1..) = result else { break };
        let (result, slice) = stream.write_all(read.slice(..count)).await;
        if result.is_err() {
            break;
        }
        buffer = slice.into_inner();
    }
}

pub fn serve(buffer: usize) {
    run(async move {
        let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("a port");
        ready(listener.local_addr().expect("an address"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            tokio_uring::spawn(echo(stream, buffer));
        }
    });
}
