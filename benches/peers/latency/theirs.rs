//! The same on tokio.

use std::hint::black_box;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval_at, sleep};

const PERIOD: Duration = Duration::from_millis(1);
const ROUND: Duration = Duration::from_millis(10);
const COMPUTING: u32 = 2;

fn piece() -> u64 {
    (0..4096u64).fold(1, |sum, step| black_box(sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ step))
}

async fn computes(share: Duration) {
    loop {
        let begin = Instant::now();
        while begin.elapsed() < share {
            black_box(piece());
            yield_now().await;
        }
        sleep(ROUND - share).await;
    }
}

async fn write(stream: &TcpStream, bytes: &[u8; 64]) -> bool {
    loop {
        match stream.try_write(bytes) {
            Ok(count) => return count == bytes.len(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
        if stream.writable().await.is_err() {
            return false;
        }
    }
}

async fn read(stream: &TcpStream, bytes: &mut [u8; 64]) -> bool {
    loop {
        match stream.try_read(bytes) {
            Ok(count) => return count > 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
        if stream.readable().await.is_err() {
            return false;
        }
    }
}

async fn asks(address: SocketAddr) {
    let (stream, mut bytes) = (TcpStream::connect(address).await.expect("a connection"), [0; 64]);
    while write(&stream, &bytes).await && read(&stream, &mut bytes).await {
        sleep(PERIOD).await;
    }
}

async fn answers(stream: TcpStream) {
    let mut bytes = [0; 64];
    while read(&stream, &mut bytes).await && write(&stream, &bytes).await {}
}

async fn begin_load(percent: u32) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    for _ in 0..4 {
        tokio::spawn(asks(address));
        tokio::spawn(answers(listener.accept().await.expect("a connection").0));
    }
    for _ in 0..COMPUTING {
        tokio::spawn(computes(ROUND * percent / 100 / COMPUTING));
    }
}

async fn controls(ticks: usize) -> Vec<u64> {
    let mut lateness = Vec::with_capacity(ticks);
    let mut interval = interval_at(tokio::time::Instant::now() + PERIOD, PERIOD);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for _ in 0..ticks {
        let due = interval.tick().await;
        lateness.push(due.elapsed().as_nanos() as u64);
    }
    lateness
}

/// One run; prints the lateness as the C program does.
pub fn run(workers: usize, seconds: f64, percent: u32) {
    let mut builder = if workers == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let runtime = builder.worker_threads(workers).enable_all().build().expect("a runtime");
    let ticks = (seconds * 1000.0) as usize;
    let mut lateness = runtime.block_on(async {
        if percent > 0 {
            begin_load(percent).await;
        }
        tokio::spawn(controls(ticks)).await.expect("no panic")
    });
    lateness.sort_unstable();
    let at = |share: f64| lateness[((ticks as f64 * share) as usize).min(ticks - 1)];
    println!("{} {} {} {}", at(0.5), at(0.99), at(0.999), lateness[ticks - 1]);
    runtime.shutdown_background();
}
