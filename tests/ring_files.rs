//! Descriptors on the real ring, strictly counted: one test in a process of its own, so that nobody else opens
//! files meanwhile.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as PlainStream};
use std::time::Duration;
use unboxed::net::{TcpListener, TcpStream};
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed::task::Bytes;
use unboxed::time::sleep;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// 200 connections at once through a stream that is dropped in the middle.
async fn a_storm(listener: &mut TcpListener) {
    let address = listener.local_addr().unwrap();
    let peers: Vec<_> = (0..200).map(|_| PlainStream::connect(address).unwrap()).collect();
    let mut streams = Vec::new();
    let mut incoming = listener.incoming();
    while streams.len() < 120 {
        streams.push(incoming.next().await.unwrap());
    }
    drop(incoming);
    while streams.len() < 200 {
        streams.push(listener.accept().await.unwrap());
    }
    let mut of_streams: Vec<_> = streams.iter().map(|s| s.peer_addr().unwrap()).collect();
    let mut of_peers: Vec<_> = peers.iter().map(|p| p.local_addr().unwrap()).collect();
    of_streams.sort();
    of_peers.sort();
    assert_eq!(of_streams, of_peers, "each connection once");
}

#[unboxed::task(ops = 2, bytes = 65536)]
async fn sends_pieces(mut stream: TcpStream, mut bytes: Bytes<'_>) -> usize {
    bytes[..32768].fill(1);
    bytes[32768..].fill(2);
    let (mut ones, mut twos) = bytes.split_at(32768);
    let mut sent = 0;
    for _ in 0..64 {
        sent += stream.write_all_vectored([ones.piece(0..32768), twos.piece(0..32768)]).await.unwrap();
    }
    sent
}

async fn vectored_sends_arrive_in_order(listener: &mut TcpListener) {
    let mut peer = PlainStream::connect(listener.local_addr().unwrap()).unwrap();
    let stream = listener.accept().await.unwrap();
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    });
    assert_eq!(sends_pieces::spawn(stream).unwrap().await, Ok(64 * 65536));
    sleep(Duration::from_millis(1)).await.unwrap();
    let all = reader.join().unwrap();
    assert_eq!(all.len(), 64 * 65536);
    for (at, piece) in all.chunks(32768).enumerate() {
        assert!(piece.iter().all(|byte| usize::from(*byte) == at % 2 + 1), "piece {at}");
    }
}

async fn everything_of(listener: &mut TcpListener) {
    a_storm(listener).await;
    vectored_sends_arrive_in_order(listener).await;
}

fn settle(runtime: &mut Runtime) {
    runtime.block_on(async {
        for _ in 0..200 {
            if unboxed::rt::current_table().unwrap().memory().used == 0 {
                break;
            }
            sleep(Duration::from_millis(5)).await.unwrap();
        }
    });
}

#[test]
fn every_descriptor_is_closed() {
    static CELL: RuntimeCell<300> = RuntimeCell::new();
    // The first runtime makes the doorbell, which stays for the process's life.
    match CELL.start(Config::new()) {
        Ok(runtime) => drop(runtime),
        Err(error) => return println!("skipped: {error}"),
    }
    let before = open_files();
    let mut runtime = CELL.start(Config::new()).unwrap();
    runtime.block_on(async {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut listener = TcpListener::bind(any_port).unwrap();
        for _ in 0..3 {
            everything_of(&mut listener).await;
        }
    });
    settle(&mut runtime);
    assert_eq!(runtime.files().memory().used, 0);
    assert_eq!(runtime.in_flight(), 0);
    drop(runtime);
    assert_eq!(open_files(), before, "as many files as before");
}
