//! The echo server: monoio's `examples/echo.rs`, with the buffer as large as is asked for.

use crate::run;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use peer_support::ready;

async fn echo(mut stream: TcpStream, buffer: usize) {
    let mut buffer: Vec<u8> = Vec::with_capacity(buffer);
    loop {
        let (result, read) = stream.read(buffer).await;
        let Ok(1..) = result else { break };
        let (result, written) = stream.write_all(read).await;
        if result.is_err() {
            break;
        }
        buffer = written;
        buffer.clear();
    }
}

pub fn serve(buffer: usize) {
    run(async move {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        ready(listener.local_addr().expect("an address"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            monoio::spawn(echo(stream, buffer));
        }
    });
}
