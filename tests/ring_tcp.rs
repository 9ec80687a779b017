//! TCP on the real ring. Tests that need a ring are left out, with a printed line, where the kernel refuses one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as PlainStream};
use std::time::Duration;
use unboxed::Error;
use unboxed::buf::BufPool;
use unboxed::io::Reader;
use unboxed::net::{TcpListener, TcpStream};
use unboxed::op::{Operation, nop};
use unboxed::rt::{Config, RuntimeCell};
use unboxed::task::Bytes;
use unboxed::time::{Elapsed, timeout};

/// A runtime of the test's own, or an early return where there is no ring.
macro_rules! runtime {
    () => {{
        static CELL: RuntimeCell<64> = RuntimeCell::new();
        match CELL.start(Config::new()) {
            Ok(runtime) => runtime,
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        }
    }};
}

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

async fn pair() -> (TcpStream, PlainStream) {
    let mut listener = TcpListener::bind(any_port()).unwrap();
    let peer = PlainStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().await.unwrap(), peer)
}

#[test]
fn owned_buffers_come_back_with_the_result() {
    runtime!().block_on(async {
        let (mut stream, mut peer) = pair().await;
        peer.write_all(b"hello").unwrap();
        let (count, buffer) = stream.read(Vec::with_capacity(16)).await;
        assert_eq!((count, buffer.as_deref()), (Ok(5), Some(&b"hello"[..])));
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        });
        let (count, buffer) = stream.write_all(vec![7u8; 3_000_000].into_boxed_slice()).await;
        assert_eq!(count, Ok(3_000_000));
        assert_eq!(buffer.unwrap().len(), 3_000_000);
        drop(stream);
        nop().await.unwrap();
        assert_eq!(reader.join().unwrap(), vec![7u8; 3_000_000]);
    });
}

#[test]
fn leases_and_static_slices_are_lent() {
    static POOL: BufPool<2, 64> = BufPool::new();
    runtime!().block_on(async {
        let (mut stream, mut peer) = pair().await;
        peer.write_all(b"abc").unwrap();
        let (count, lease) = stream.read(POOL.lease().unwrap()).await;
        assert_eq!(count, Ok(3));
        assert_eq!(&*lease.unwrap(), b"abc");
        assert_eq!(POOL.memory().used, 0);
        let region: &'static mut [u8] = Box::leak(Box::new(*b"static"));
        let (count, region) = stream.write_all(region).range(2..6).await;
        assert_eq!((count, region.unwrap().len()), (Ok(4), 6));
        let mut four = [0; 4];
        peer.read_exact(&mut four).unwrap();
        assert_eq!(&four, b"atic");
    });
}

#[test]
fn connect_reaches_a_listener_and_addresses_agree() {
    runtime!().block_on(async {
        let mut listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let server = listener.accept().await.unwrap();
        assert_eq!(client.peer_addr().unwrap(), address);
        assert_eq!(server.peer_addr().unwrap(), client.local_addr().unwrap());
        client.set_nodelay(true).unwrap();
        assert!(client.nodelay().unwrap());
        drop(listener);
        nop().await.unwrap();
        assert!(matches!(TcpStream::connect(address).await, Err(Error::Os(_))));
    });
}

#[test]
fn a_dropped_accept_leaves_its_connection_to_the_next() {
    runtime!().block_on(async {
        let mut listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        for _ in 0..3 {
            let mut accept = Box::pin(listener.accept());
            assert!(poll_once(accept.as_mut()).await.is_none());
        }
        let mut peer = PlainStream::connect(address).unwrap();
        peer.write_all(b"x").unwrap();
        let mut stream = listener.accept().await.unwrap();
        let (count, _) = stream.read(vec![0; 4]).await;
        assert_eq!(count, Ok(1));
    });
}

#[test]
fn a_timeout_cancels_and_loses_nothing() {
    runtime!().block_on(async {
        let (mut stream, mut peer) = pair().await;
        let limit = Duration::from_millis(5);
        let elapsed = timeout(limit, stream.read(Vec::with_capacity(8))).await;
        assert_eq!(elapsed.map(|(count, _)| count), Err(Elapsed));
        peer.write_all(b"later").unwrap();
        let (count, buffer) = stream.read(Vec::with_capacity(8)).await;
        assert_eq!((count, buffer.as_deref()), (Ok(5), Some(&b"later"[..])));
    });
}

#[test]
fn a_plainly_dropped_read_is_cancelled_and_the_next_goes_on() {
    runtime!().block_on(async {
        let (mut stream, mut peer) = pair().await;
        {
            let mut read = Box::pin(stream.read(Vec::with_capacity(8)));
            assert!(poll_once(read.as_mut()).await.is_none());
        }
        // The cancel goes with the next turn of the ring.
        nop().await.unwrap();
        peer.write_all(b"next").unwrap();
        let (count, _) = stream.read(Vec::with_capacity(8)).await;
        assert_eq!(count, Ok(4));
    });
}

#[test]
fn bytes_that_came_for_a_dropped_read_are_reported() {
    runtime!().block_on(async {
        let (mut stream, mut peer) = pair().await;
        {
            let mut read = Box::pin(stream.read(Vec::with_capacity(8)));
            assert!(poll_once(read.as_mut()).await.is_none());
            peer.write_all(b"gone").unwrap();
            // Long enough for the completion to be there, short of polling the read again.
            unboxed::time::sleep(Duration::from_millis(20)).await.unwrap();
        }
        for _ in 0..2 {
            let (count, _) = stream.read(Vec::with_capacity(8)).await;
            assert_eq!(count, Err(Error::BytesDropped(4)));
        }
    });
}

#[test]
fn a_reader_keeps_what_arrives_between_dropped_fills() {
    static POOL: BufPool<1, 16> = BufPool::new();
    let mut runtime = runtime!();
    runtime.block_on(async {
        let (stream, mut peer) = pair().await;
        let (read, mut write) = stream.split();
        let mut reader = read.buffered(POOL.lease().unwrap());
        assert!(poll_once(Box::pin(reader.fill()).as_mut()).await.is_none());
        peer.write_all(b"kept").unwrap();
        unboxed::time::sleep(Duration::from_millis(20)).await.unwrap();
        assert_eq!(reader.fill().await, Ok(4));
        assert_eq!(reader.buffered(), b"kept");
        reader.consume(2);
        assert_eq!(timeout(Duration::from_millis(5), reader.fill()).await, Err(Elapsed));
        peer.write_all(b"0123456789abcdefgh").unwrap();
        while reader.buffered().len() < reader.capacity() {
            reader.fill().await.unwrap();
        }
        assert_eq!(reader.buffered(), b"pt0123456789abcd".get(..16).unwrap());
        assert!(matches!(reader.fill().await, Err(Error::OutOfRange { .. })));
        let (count, _) = write.write_all(b"bye".to_vec()).await;
        assert_eq!(count, Ok(3));
    });
    assert_eq!(runtime.in_flight(), 0);
    assert_eq!(POOL.memory().used, 0);
}

#[test]
fn a_file_has_one_reader_at_a_time() {
    static POOL: BufPool<3, 16> = BufPool::new();
    runtime!().block_on(async {
        let (stream, mut peer) = pair().await;
        let (read, _write) = stream.split();
        let reader = read.buffered(POOL.lease().unwrap());
        let file = reader.file().clone();
        let second = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Reader::new(file.clone(), POOL.lease().unwrap())
        }));
        assert!(second.is_err());
        drop(reader);
        let mut third = Reader::new(file, POOL.lease().unwrap());
        peer.write_all(b"x").unwrap();
        assert_eq!(third.fill().await, Ok(1));
    });
}

#[unboxed::task(pool = 8, ops = 2, bytes = 512)]
async fn echo(mut stream: TcpStream, mut bytes: Bytes<'_>) -> usize {
    let mut total = 0;
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        stream.write_all(&mut bytes).first(count).await.unwrap();
        total += count;
    }
    total
}

#[test]
fn tasks_echo_from_their_own_bytes() {
    runtime!().block_on(async {
        let mut listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let client = std::thread::spawn(move || {
            let mut peer = PlainStream::connect(address).unwrap();
            let sent: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
            let mut copy = peer.try_clone().unwrap();
            let sending = sent.clone();
            let writer = std::thread::spawn(move || {
                copy.write_all(&sending).unwrap();
                copy.shutdown(std::net::Shutdown::Write).unwrap();
            });
            let mut got = Vec::new();
            peer.read_to_end(&mut got).unwrap();
            writer.join().unwrap();
            assert_eq!(got, sent);
        });
        let task = echo::spawn(listener.accept().await.unwrap()).unwrap();
        assert_eq!(task.await, Ok(100_000));
        // The close goes with the next turn, for which a blocking join would wait in vain.
        nop().await.unwrap();
        client.join().unwrap();
        assert_eq!(echo::memory().used, 0);
    });
}

#[test]
fn cancel_waits_for_whichever_came_first() {
    runtime!().block_on(async {
        let (mut stream, mut peer) = pair().await;
        let (count, buffer) = stream.read(vec![0; 4]).cancel().await;
        assert_eq!(count, Err(Error::Cancelled));
        assert_eq!(buffer.unwrap().len(), 4);
        peer.write_all(b"ab").unwrap();
        let (count, _) = stream.read(Vec::with_capacity(4)).await;
        assert_eq!(count, Ok(2));
    });
}

/// Polls once with the task's waker.
async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
