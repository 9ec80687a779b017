//! Writes a trace of a small load: an echo server and its clients, with pauses, on two workers.
//!
//! Open the file at https://ui.perfetto.dev: a row a worker with its polls and sleeps, and a row for each operation, from
//! its begin to the taking of its result. The records lie in two static buffers; no heap is used but for the file's name.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use unboxed::net::{TcpListener, TcpStream};
use unboxed::observe::{Observation, Snapshot, TraceBuffer, Track, chrome, observation, print_slow};
use unboxed::rt::{Config, RuntimeCell};
use unboxed::task::Bytes;
use unboxed::time::sleep;
use unboxed_examples::Args;

const USAGE: &str = "\
Writes a trace of an echo server and its clients.

usage: trace [--out FILE] [--rounds N] [--clients N]

  --out FILE    the trace (default trace.json), for https://ui.perfetto.dev
  --rounds N    requests of each client (default 20)
  --clients N   clients, at most 16 (default 4)
  --help        prints this";

const CLIENTS: usize = 16;
const SIZE: usize = 64;
const WORKERS: usize = 2;

static RUNTIME: RuntimeCell<64, WORKERS> = RuntimeCell::new();
static BUFFERS: [TraceBuffer<8192>; WORKERS] = [const { TraceBuffer::new() }; WORKERS];
static OBSERVATION: Observation =
    observation().slow_polls(5_000_000, print_slow).buffer(0, &BUFFERS[0]).buffer(1, &BUFFERS[1]);

#[unboxed::task(pool = CLIENTS, ops = 2, bytes = SIZE)]
async fn echo(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&mut bytes).first(count).await.is_err() {
            break;
        }
    }
}

#[unboxed::task(pool = CLIENTS, ops = 2, bytes = SIZE)]
async fn client(address: SocketAddr, rounds: u32, mut bytes: Bytes<'_>) -> Result<(), unboxed::Error> {
    let mut stream = TcpStream::connect(address).await?;
    for round in 0..rounds {
        stream.write_all(&mut bytes).await?;
        let mut left = SIZE;
        while left > 0 {
            left -= stream.read(&mut bytes).range(0..left).await?;
        }
        if round % 5 == 4 {
            sleep(Duration::from_micros(200)).await?;
        }
    }
    Ok(())
}

async fn run(rounds: u32, clients: usize) {
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut asking = [const { None }; CLIENTS];
    for place in &mut asking[..clients] {
        *place = Some(client::spawn(address, rounds).expect("a block"));
    }
    for _ in 0..clients {
        let stream = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        echo::spawn(stream).expect("a block").detach();
    }
    for client in asking.into_iter().flatten() {
        client.await.expect("a client").expect("an answer");
    }
}

fn main() {
    let mut args = Args::parse(USAGE);
    let (rounds, clients) = (args.value("--rounds", 20), args.value("--clients", 4));
    let path = args.value("--out", String::from("trace.json"));
    args.finish();
    let mut runtime = RUNTIME.start(Config::new().workers(WORKERS)).unwrap_or_else(|error| {
        eprintln!("no runtime: {error}");
        std::process::exit(1);
    });
    let remote = runtime.remote();
    assert!(remote.observe(Some(&OBSERVATION)), "the buffers are this runtime's");
    runtime.block_on(run(rounds, clients.min(CLIENTS)));
    remote.observe(None);

    let tracks = [("worker 0", &BUFFERS[0]), ("worker 1", &BUFFERS[1])];
    let tracks = tracks.map(|(name, buffer)| Track { name, records: buffer });
    let written = File::create(&path).map(BufWriter::new).and_then(|mut file| {
        write!(file, "{}", chrome(&tracks))?;
        file.flush()
    });
    if let Err(error) = written {
        eprintln!("--out {path}: {error}");
        std::process::exit(1);
    }
    let mut seen = Snapshot::new();
    for (worker, buffer) in BUFFERS.iter().enumerate() {
        if remote.snapshot(worker, &mut seen) {
            let (records, lost) = (buffer.written(), buffer.lost());
            println!("worker {worker}: {records} records, {lost} lost");
            println!("  a poll, in ns: {}", seen.poll_ns);
            println!("  ready before a poll, in ns: {}", seen.wait_ns);
        }
    }
    println!("{path} is for https://ui.perfetto.dev");
}
