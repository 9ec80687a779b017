//! The echo server: tokio's `examples/echo-tcp.rs`, with the buffer as large as is asked for.

use crate::run;
use peer_support::{Work, ready};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn echo(mut stream: TcpStream, buffer: usize) {
    let mut buffer = vec![0; buffer];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

pub fn serve(work: &Work, buffer: usize) {
    run(work, async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        ready(listener.local_addr().expect("an address"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            tokio::spawn(echo(stream, buffer));
        }
    });
}
