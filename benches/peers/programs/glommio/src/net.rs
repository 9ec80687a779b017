//! The echo server: glommio's `examples/echo.rs`, with the buffer as large as is asked for.

use crate::run;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use peer_support::ready;

async fn echo(mut stream: TcpStream, buffer: usize) {
    let mut buffer = vec![0; buffer];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

pub fn serve(buffer: usize) {
    run(async move {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        ready(listener.local_addr().expect("an address"));
        loop {
            let stream = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            glommio::spawn_local(echo(stream, buffer)).detach();
        }
    });
}
