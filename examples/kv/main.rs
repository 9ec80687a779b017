//! A Redis-protocol server in fixed memory.
//!
//! The engine (`engine/`) turns bytes into bytes and knows no sockets; here are the sockets: `server.rs` has
//! the tasks, `service.rs` what they share, `stats.rs` what `top` reads,
//! `options.rs` the command line and the memory map.

mod options;
mod server;
mod service;
mod stats;

use options::{Options, RUNTIME};
use service::Service;
use stats::Board;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use unboxed::alloc::Counting;
use unboxed::net::TcpListener;
use unboxed::rt::{Config, Remote};

#[global_allocator]
static HEAP: Counting = Counting::new();

fn main() {
    let options = Options::parse();
    let config = Config::new().entries(1024).workers(options.threads);
    let mut runtime = RUNTIME.start(config).unwrap_or_else(|error| {
        eprintln!("no runtime: {error}");
        std::process::exit(1);
    });
    if options.memory {
        Service::leak(&options, options.port);
        server::show_pools();
        options.print_memory_map();
        return;
    }
    let remote = runtime.remote();
    runtime.block_on(run(&options, remote));
    println!("{}", unboxed::memory::text());
}

async fn run(options: &Options, remote: Remote) {
    let mut stop = unboxed::signal::shutdown().expect("signals");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = match TcpListener::bind(address) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on {address}: {error}; is the port in use? choose another with --port");
            std::process::exit(1);
        }
    };
    let address = listener.local_addr().expect("an address");
    let service = Service::leak(options, address.port());
    let sweeper = server::sweep::spawn(service).expect("an empty pool");
    if !options.stats.is_empty() {
        let board = Board::leak(&options.stats, service, remote);
        stats::publish::spawn(board).expect("an empty pool").detach();
    }
    let server = server::serve::spawn(listener, service).expect("an empty pool");
    println!("ready {address}");
    let ready = HEAP.allocations();
    HEAP.forbid(options.forbid_allocation);

    let _ = stop.recv().await;
    // Drain: no new connections; those that are there get a second to end by themselves.
    server.abort();
    let _ = server.await;
    for _ in 0..100 {
        if service.db().clients == 0 {
            break;
        }
        let _ = unboxed::time::sleep(Duration::from_millis(10)).await;
    }
    sweeper.abort();
    let _ = sweeper.await;
    HEAP.forbid(false);
    println!("heap allocations since ready: {}", HEAP.allocations() - ready);
}
