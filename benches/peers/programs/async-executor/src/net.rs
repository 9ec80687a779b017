//! The echo server: smol's `examples/tcp-server.rs`, with the buffer as large as is asked for.

use crate::run;
use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use peer_support::ready;
use std::net::{TcpListener, TcpStream};

async fn echo(mut stream: Async<TcpStream>, buffer: usize) {
    let mut buffer = vec![0; buffer];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

pub fn serve(buffer: usize) {
    run(|executor| async move {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("a port");
        ready(listener.get_ref().local_addr().expect("an address"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.get_ref().set_nodelay(true).expect("a socket");
            executor.spawn(echo(stream, buffer)).detach();
        }
    });
}
