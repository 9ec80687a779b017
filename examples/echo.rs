//! An echo server in fixed memory: every connection is a task in a static block, with its buffer inside.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use unboxed::alloc::Counting;
use unboxed::net::{TcpListener, TcpStream};
use unboxed::rt::{Config, RuntimeCell};
use unboxed::task::Bytes;
use unboxed_examples::Args;

#[global_allocator]
static HEAP: Counting = Counting::new();

const USAGE: &str = "\
Echoes what it receives, in fixed memory.

usage: echo [--port PORT] [--threads N]

  --port PORT   listens on 127.0.0.1:PORT (default 7007; 0 lets the system choose)
  --threads N   worker threads with a ring each, at most 16 (default 1; 0 is one for each processor)
  --help        prints this";

const CONNECTIONS: usize = 512;
/// As many as `--threads` can ask for.
const THREADS: usize = 16;

static RUNTIME: RuntimeCell<1024, THREADS> = RuntimeCell::new();

/// One connection, until its end.
#[unboxed::task(pool = CONNECTIONS, ops = 2, bytes = 4096)]
async fn echo(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&mut bytes).first(count).await.is_err() {
            break;
        }
    }
}

/// Accepts until it is aborted. It takes a block first: with all in use, connections wait in the system.
#[unboxed::task]
async fn serve(mut listener: TcpListener) {
    loop {
        let block = echo::reserve().await;
        match listener.accept().await {
            Ok(stream) => block.spawn((stream,)).expect("inside the runtime").detach(),
            Err(error) => {
                eprintln!("accept: {error}");
                let _ = unboxed::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

fn main() {
    let mut args = Args::parse(USAGE);
    let port = args.value("--port", 7007u16);
    let threads = args.threads(THREADS);
    args.finish();

    let before = HEAP.allocations();
    let mut runtime = RUNTIME.start(Config::new().workers(threads)).unwrap_or_else(|error| {
        eprintln!("no runtime: {error}");
        std::process::exit(1);
    });
    let of_the_start = HEAP.allocations() - before;
    let remote = runtime.remote();
    runtime.block_on(run(port));
    for worker in 0..remote.workers() {
        if let Some(stats) = remote.stats(worker) {
            let (polls, stolen, sleeps) = (stats.polls.get(), stats.stolen.get(), stats.sleeps.get());
            println!("worker {worker}: {polls} polls, {stolen} tasks taken from others, {sleeps} sleeps");
        }
    }
    println!("heap allocations of the start: {of_the_start}, all of them std::thread's");
}

async fn run(port: u16) {
    let mut stop = unboxed::signal::shutdown().expect("signals");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = match TcpListener::bind(address) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on {address}: {error}; is the port in use? choose another with --port");
            std::process::exit(1);
        }
    };
    println!("ready {}", listener.local_addr().expect("an address"));
    let server = serve::spawn(listener).expect("an empty pool");
    let ready = HEAP.allocations();

    let _ = stop.recv().await;
    // Drain: no new connections; those that are there get two seconds to end by themselves.
    server.abort();
    let _ = server.await;
    for _ in 0..200 {
        if echo::memory().used == 0 {
            break;
        }
        let _ = unboxed::time::sleep(Duration::from_millis(10)).await;
    }
    println!("heap allocations since ready: {}", HEAP.allocations() - ready);
}
