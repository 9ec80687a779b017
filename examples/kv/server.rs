//! The tasks: one accepts, one sweeps, and one serves each connection from buffers in its own block.

use crate::service::{Open, Service};
use std::net::Shutdown;
use std::time::Duration;
use unboxed::net::{TcpListener, TcpStream};
use unboxed::op::{Error, Operation};
use unboxed::task::Bytes;
use unboxed::time::{Instant, sleep, timeout};
use unboxed::yield_now;
use unboxed_kv::Step;

/// As many as `--connections` can ask for.
pub const CONNECTIONS: usize = 1000;

const INPUT: usize = 16 << 10;
const OUTPUT: usize = 16 << 10;
const REFUSAL: &[u8] = b"-ERR max number of clients reached\r\n";

/// How long a connection that we close may go on sending, so that our last words are not lost with it.
const LINGER: Duration = Duration::from_secs(1);

/// The pools are in the memory map from the first look on.
pub fn show_pools() {
    for pool in [connection::memory, refuse::memory, serve::memory, sweep::memory] {
        pool();
    }
}

/// Accepts until it is aborted.
#[unboxed::task]
pub async fn serve(mut listener: TcpListener, service: &'static Service) {
    loop {
        match listener.accept().await {
            Ok(stream) => admit(stream, service),
            Err(error) => {
                eprintln!("accept: {error}");
                let _ = sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

fn admit(stream: TcpStream, service: &'static Service) {
    // Replies are whole batches already; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let refused = match Open::new(service, INPUT) {
        Some(open) => match connection::spawn(stream, service, open) {
            Ok(task) => return task.detach(),
            Err(error) => error.args.0,
        },
        None => stream,
    };
    // With no block left even for the refusal, the connection is closed without a word.
    if let Ok(task) = refuse::spawn(refused) {
        task.detach();
    }
}

/// Tells one client too many.
#[unboxed::task(pool = 64, ops = 2, bytes = 512)]
pub async fn refuse(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    bytes[..REFUSAL.len()].copy_from_slice(REFUSAL);
    if stream.write_all(&mut bytes).first(REFUSAL.len()).await.is_ok() {
        linger(&mut stream, &mut bytes).await;
    }
}

/// One connection: what was read is run, what that gives is written, until neither goes on.
#[unboxed::task(pool = CONNECTIONS, ops = 3, bytes = INPUT + OUTPUT)]
pub async fn connection(mut stream: TcpStream, service: &'static Service, mut open: Open, bytes: Bytes<'_>) {
    let (mut input, mut output) = bytes.split_at(INPUT);
    let mut filled = 0;
    loop {
        let done = open.advance(&input[..filled], &mut output);
        input.copy_within(done.consumed..filled, 0);
        filled -= done.consumed;
        if done.produced > 0 {
            let write = stream.write_all(&mut output).first(done.produced);
            if !matches!(limited(service, write).await, Some(Ok(_))) {
                return;
            }
        }
        match done.step {
            Step::OutputFull => yield_now().await,
            Step::Close => break,
            Step::NeedInput => {
                let read = stream.read(&mut input).range(filled..INPUT);
                match limited(service, read).await {
                    Some(Ok(count @ 1..)) => filled += count,
                    // The end, an error, or idle for too long; every reply is written.
                    _ => return,
                }
            }
        }
    }
    linger(&mut stream, &mut input).await;
}

/// Runs a read or a write; none if it took longer than a connection may be idle.
async fn limited<O>(service: &'static Service, operation: O) -> Option<O::Output>
where
    O: Operation<Output = Result<usize, Error>>,
{
    let seconds = service.db().idle_seconds;
    match seconds {
        0 => Some(operation.await),
        _ => timeout(Duration::from_secs(seconds), operation).await.ok(),
    }
}

/// Ends our side, and reads until the other has ended its own: closing with unread bytes would throw away
/// what we have said.
async fn linger(stream: &mut TcpStream, bytes: &mut Bytes<'_>) {
    if stream.shutdown(Shutdown::Write).await.is_err() {
        return;
    }
    let ends = Instant::now().map(|now| now.after(LINGER));
    while let (Ok(ends), Ok(now)) = (ends, Instant::now()) {
        let left = ends.since(now);
        if left.is_zero() || !matches!(timeout(left, stream.read(&mut *bytes)).await, Ok(Ok(1..))) {
            break;
        }
    }
}

/// Removes expired keys, so that memory comes back also of those that nobody asks for: the whole index in
/// ten seconds.
#[unboxed::task]
pub async fn sweep(service: &'static Service) {
    loop {
        let _ = sleep(Duration::from_millis(100)).await;
        let mut db = service.db();
        let buckets = (db.store.buckets() / 100).max(256);
        db.sweep(service.now_ms(), buckets);
    }
}
