//! What else the thread has to do.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use unboxed::net::{TcpListener, TcpStream};
use unboxed::task::{Bytes, yield_if_due};
use unboxed::time::sleep;

const CONNECTIONS: usize = 4;
const COMPUTING: usize = 2;
/// In each such time, all that compute do so for their share of it.
const ROUND: Duration = Duration::from_millis(10);

/// Starts everything; it ends with the runtime.
pub async fn begin(percent: u32) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut listener = TcpListener::bind(address).expect("a port of this machine");
    let address = listener.local_addr().expect("an address");
    for _ in 0..CONNECTIONS {
        asks::spawn(address).expect("a free block").detach();
        let stream = listener.accept().await.expect("a connection");
        answers::spawn(stream).expect("a free block").detach();
    }
    for _ in 0..COMPUTING {
        computes::spawn(ROUND * percent / 100 / COMPUTING as u32).expect("a free block").detach();
    }
}

/// Computes for a share of each round, piece by piece.
#[unboxed::task(pool = COMPUTING, ops = 1, lane = "background")]
async fn computes(share: Duration) {
    loop {
        let begin = Instant::now();
        while begin.elapsed() < share {
            black_box(piece());
            yield_if_due().await;
        }
        if sleep(ROUND - share).await.is_err() {
            return;
        }
    }
}

/// Some microseconds of work.
fn piece() -> u64 {
    (0..4096u64).fold(1, |sum, step| black_box(sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ step))
}

/// Asks, reads the answer, and rests for a while.
#[unboxed::task(pool = CONNECTIONS, ops = 2, bytes = 64)]
async fn asks(address: SocketAddr, mut bytes: Bytes<'_>) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    while stream.write_all(&mut bytes).await.is_ok() && matches!(stream.read(&mut bytes).await, Ok(1..)) {
        if sleep(Duration::from_millis(1)).await.is_err() {
            return;
        }
    }
}

#[unboxed::task(pool = CONNECTIONS, ops = 2, bytes = 64)]
async fn answers(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&mut bytes).first(count).await.is_err() {
            return;
        }
    }
}
