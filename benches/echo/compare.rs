//! Both servers, their clients and the table. Server and client are threads on a processor each; the client is a bare loop in both cases. Per request: what the
//! server's thread spends in its own code and in the system, its system calls, and the rate. Rounds are interleaved.

use super::{bare, calls};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};
use unboxed::net::{TcpListener, TcpStream};
use unboxed::rt::{Config, RuntimeCell};
use unboxed::task::Bytes;
use unboxed_benches::median;

pub const SIZE: usize = 64;
pub const ENTRIES: u32 = 256;
const CONNECTIONS: [usize; 3] = [1, 64, 1000];
const ROUNDS: usize = 9;

static CELL: RuntimeCell<1100> = RuntimeCell::new();

#[unboxed::task(pool = 1000, ops = 1, bytes = SIZE)]
async fn echo(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&mut bytes).first(count).await.is_err() {
            break;
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Server {
    Unboxed,
    Bare,
    /// With timed polls.
    #[cfg(feature = "trace")]
    Timed,
    /// And with records.
    #[cfg(feature = "trace")]
    Traced,
}

impl Server {
    #[cfg(not(feature = "trace"))]
    const ALL: [(Self, &'static str); 2] = [(Self::Unboxed, "unboxed"), (Self::Bare, "bare")];
    #[cfg(feature = "trace")]
    const ALL: [(Self, &'static str); 4] =
        [(Self::Unboxed, "unboxed"), (Self::Timed, "timed"), (Self::Traced, "traced"), (Self::Bare, "bare")];
}

#[cfg(feature = "trace")]
mod observed {
    use super::Server;
    use unboxed::observe::{Observation, TraceBuffer, observation};
    use unboxed::rt::Runtime;

    static BUFFER: TraceBuffer<8192> = TraceBuffer::new();
    static TIMED: Observation = observation();
    static TRACED: Observation = observation().buffer(0, &BUFFER);

    pub fn observe(runtime: &Runtime, server: Server) {
        let observation = match server {
            Server::Timed => Some(&TIMED),
            Server::Traced => Some(&TRACED),
            _ => None,
        };
        assert!(runtime.remote().observe(observation));
    }
}

/// Per request.
struct Row {
    own_ns: f64,
    cpu_ns: f64,
    user_ns: f64,
    calls: f64,
    rate: f64,
}

struct Times {
    user: Duration,
    system: Duration,
}

fn times() -> Times {
    // SAFETY: fills a local.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage);
        usage
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    Times { user: time(usage.ru_utime), system: time(usage.ru_stime) }
}

fn pin(processor: usize) {
    // SAFETY: a local set.
    unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

/// What a server's thread does, from its first connection to the end of its last.
struct Meter<'a> {
    ready: &'a Barrier,
    requests: u32,
}

impl Meter<'_> {
    fn begin(&self) -> (Times, Instant) {
        self.ready.wait();
        calls::look();
        (times(), Instant::now())
    }

    fn end(&self, (before, begin): (Times, Instant)) -> Row {
        let (after, seen) = (times(), calls::look());
        let each = |value: f64| value / f64::from(self.requests);
        let user = (after.user - before.user).as_nanos() as f64;
        let system = (after.system - before.system).as_nanos() as f64;
        Row {
            own_ns: each(seen.own as f64 * calls::ns_per_cycle()),
            cpu_ns: each(user + system),
            user_ns: each(user),
            calls: each(seen.calls as f64),
            rate: f64::from(self.requests) / begin.elapsed().as_secs_f64(),
        }
    }
}

fn unboxed(server: Server, connections: usize, meter: &Meter<'_>, tell: impl FnOnce(SocketAddr)) -> Row {
    let mut runtime = CELL.start(Config::new()).expect("a runtime");
    #[cfg(feature = "trace")]
    observed::observe(&runtime, server);
    let _ = server;
    runtime.block_on(async {
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a listener");
        tell(listener.local_addr().expect("an address"));
        let mut served = Vec::with_capacity(connections);
        for _ in 0..connections {
            let stream = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            served.push(echo::spawn(stream).expect("a block"));
        }
        let begun = meter.begin();
        for handle in served {
            handle.await.expect("a task");
        }
        meter.end(begun)
    })
}

fn bare(connections: usize, meter: &Meter<'_>, tell: impl FnOnce(SocketAddr)) -> Row {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    tell(listener.local_addr().expect("an address"));
    let mut connections = bare::accept(&listener, connections);
    let begun = meter.begin();
    bare::serve(&mut connections);
    meter.end(begun)
}

fn round(server: Server, connections: usize, requests: u32) -> Row {
    let ready = Arc::new(Barrier::new(2));
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn({
        let ready = ready.clone();
        move || {
            pin(0);
            let meter = Meter { ready: &ready, requests };
            let tell = |address| tell.send(address).expect("a client");
            match server {
                Server::Bare => bare(connections, &meter, tell),
                _ => unboxed(server, connections, &meter, tell),
            }
        }
    });
    let address = told.recv().expect("a server");
    let connected = bare::connect(address, connections);
    ready.wait();
    bare::ask(connected, requests);
    thread.join().expect("a server")
}

pub fn main() {
    let mut arguments = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let only = arguments.next().map(|word| word.parse::<usize>().expect("connections"));
    let rounds = arguments.next().map_or(ROUNDS, |word| word.parse().expect("rounds"));
    pin(1);
    println!("echo of {SIZE} bytes, per request, medians of {rounds} interleaved rounds");
    println!("connections  server    own code   user CPU  user+system      calls  requests/s");
    for connections in CONNECTIONS.into_iter().filter(|&n| only.is_none_or(|only| n == only)) {
        let requests = if connections == 1 { 10_000 } else { 100_000 };
        let mut rows = [const { Vec::<Row>::new() }; Server::ALL.len()];
        for _ in 0..rounds {
            for (rows, (server, _)) in rows.iter_mut().zip(Server::ALL) {
                rows.push(round(server, connections, requests));
            }
        }
        let middle =
            |rows: &[Row], what: fn(&Row) -> f64| median(&mut rows.iter().map(what).collect::<Vec<_>>());
        for (rows, (_, name)) in rows.iter().zip(Server::ALL) {
            println!(
                "{connections:11}  {name:8}  {:5.0} ns  {:6.0} ns  {:8.0} ns  {:9.3}  {:10.0}",
                middle(rows, |r| r.own_ns),
                middle(rows, |r| r.user_ns),
                middle(rows, |r| r.cpu_ns),
                middle(rows, |r| r.calls),
                middle(rows, |r| r.rate),
            );
        }
    }
}
