//! Servers under the load generator.

use super::Round;
use crate::figures::{PERCENTILES, Sample};
use crate::load::{self, Exchange, Histogram, Outcome, Window};
use crate::peers::Source;
use crate::program::{self, LOAD_PROCESSOR, Server};
use crate::watch::{Counter, Cpu, resident_bytes};
use crate::workloads::{Kind, Load};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const KV_CONNECTIONS: usize = 50;
const VALUE_BYTES: usize = 64;
const WARM_MS: u64 = 30;
const READ_MAX: Duration = Duration::from_secs(5);

/// One round: a new server, and a thread that loads it.
pub fn run(round: &Round<'_>) -> Result<(Sample, Option<Histogram>), String> {
    let server = start(round)?;
    let load = || -> io::Result<(Sample, Option<Histogram>)> {
        program::bind(LOAD_PROCESSOR);
        match &round.workload.kind {
            Kind::Idle { connections } => Ok((idle(&server, *connections)?, None)),
            _ => loaded(round, &server).map(|(sample, latencies)| (sample, Some(latencies))),
        }
    };
    std::thread::scope(|scope| scope.spawn(load).join()).expect("no panic").map_err(|error| error.to_string())
}

fn start(round: &Round<'_>) -> Result<Server, String> {
    match (round.build.peer.source, &round.workload.kind) {
        (Source::Installed(_), _) => Server::start_redis(round.program),
        (_, Kind::Kv { .. }) => {
            Server::start(round.build, round.program, &["--port".to_owned(), "0".to_owned()], None)
        }
        (_, kind) => {
            // The buffer is as large as what comes, and at least a page, as servers have it.
            let buffer = if let Kind::Echo { bytes: 65_536, .. } = kind { 65_536 } else { 4096 };
            let arguments = [round.workload.program.to_owned(), format!("buffer={buffer}")];
            Server::start(round.build, round.program, &arguments, round.page)
        }
    }
}

fn exchange(kind: &Kind) -> Exchange {
    match *kind {
        Kind::Kv { request, pipeline } => {
            let value = "x".repeat(VALUE_BYTES);
            let (one, answer) = match request {
                "get" => {
                    ("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n".to_owned(), format!("${VALUE_BYTES}\r\n{value}\r\n"))
                }
                _ => (set(&value), "+OK\r\n".to_owned()),
            };
            let request = one.repeat(pipeline).into_bytes();
            Exchange { request, answer: answer.len() * pipeline, units: pipeline as u64 }
        }
        Kind::Echo { bytes, .. } => echoed(bytes),
        _ => echoed(64),
    }
}

fn set(value: &str) -> String {
    format!("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n${}\r\n{value}\r\n", value.len())
}

fn echoed(bytes: usize) -> Exchange {
    Exchange { request: (0..bytes).map(|at| (at * 7 + at / 256) as u8).collect(), answer: bytes, units: 1 }
}

/// Asks once, by itself, and looks at the answer.
fn prove(address: SocketAddr, kind: &Kind) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(READ_MAX))?;
    let exchange = exchange(kind);
    if matches!(kind, Kind::Kv { .. }) {
        stream.write_all(set(&"x".repeat(VALUE_BYTES)).as_bytes())?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        return if &answer == b"+OK\r\n" { Ok(()) } else { Err(io::Error::other("an unexpected answer")) };
    }
    stream.write_all(&exchange.request)?;
    let mut answer = vec![0; exchange.answer];
    stream.read_exact(&mut answer)?;
    if answer == exchange.request {
        Ok(())
    } else {
        Err(io::Error::other("what came back is not what was sent"))
    }
}

fn loaded(round: &Round<'_>, server: &Server) -> io::Result<(Sample, Histogram)> {
    let kind = &round.workload.kind;
    prove(server.address, kind)?;
    let id = server.id();
    let (mut before, mut after) = (Cpu::default(), Cpu::default());
    let (mut counter, mut counts) = (None, None);
    let mut begin = || {
        counter = round.page.map(|page| Counter::begin(id, page));
        before = Cpu::of(id);
    };
    let mut end = || after = Cpu::of(id);
    let warm = Duration::from_millis(WARM_MS);
    let length = Duration::from_millis(window_ms(kind, round.quick) - WARM_MS);
    let mut window = Window { warm, length, begin: &mut begin, end: &mut end };
    let exchange = exchange(kind);
    let address = server.address;
    let outcome = match *kind {
        Kind::Echo { connections, load: Load::Closed, .. } => {
            load::closed(address, connections, &exchange, &mut window)
        }
        Kind::Echo { connections, load: Load::Open(rate), .. } => {
            load::open(address, connections, rate, &exchange, &mut window)
        }
        Kind::Churn { connections } => load::churn(address, connections, &exchange, &mut window),
        _ => load::closed(address, KV_CONNECTIONS, &exchange, &mut window),
    }?;
    if let Some(counter) = counter {
        counts = Some(counter.end());
    }
    let mut sample = metrics(&outcome, after.since(before));
    sample.insert("resident_bytes", resident_bytes(id) as f64);
    if let Some((calls, heap)) = counts {
        let requests = outcome.requests.max(1) as f64;
        if let Some(calls) = calls {
            sample.insert("calls", calls as f64 / requests);
        }
        if matches!(round.build.peer.source, Source::Rust { .. }) {
            sample.insert("allocations", heap[0] as f64 / requests);
            sample.insert("bytes", heap[1] as f64 / requests);
        }
    }
    Ok((sample, outcome.latencies))
}

fn metrics(outcome: &Outcome, [total_ns, user, system]: [u64; 3]) -> Sample {
    let requests = outcome.requests.max(1) as f64;
    let share = user as f64 / (user + system).max(1) as f64;
    let total = total_ns as f64 / requests;
    let wall = outcome.wall.as_secs_f64();
    let mut sample = Sample::from([
        ("rate", outcome.requests as f64 / wall),
        ("cpu_ns", total),
        ("cpu_s", total_ns as f64 / 1e9),
        ("user_ns", total * share),
        ("system_ns", total * (1.0 - share)),
        ("server_share", total_ns as f64 / 1e9 / wall),
        ("load_share", outcome.cpu.as_secs_f64() / wall),
    ]);
    sample.extend(PERCENTILES.map(|(name, percent)| (name, outcome.latencies.percentile_us(percent))));
    sample
}

/// Warming and measuring; longer where user time, which is sampled, is what is looked at.
pub fn window_ms(kind: &Kind, quick: bool) -> u64 {
    let length = match kind {
        _ if quick => 100,
        // A thousandth of the requests, and a stall of the machine, must not be a hundredth.
        Kind::Echo { load: Load::Open(_), .. } => 500,
        Kind::Echo { connections: 64, bytes: 64, .. } => 400,
        Kind::Echo { connections: 1000, bytes: 64, .. } | Kind::Kv { .. } => 250,
        _ => 120,
    };
    WARM_MS + length
}

/// Memory of many connections, each of which has been answered once.
fn idle(server: &Server, connections: usize) -> io::Result<Sample> {
    prove(server.address, &Kind::Idle { connections })?;
    let before = resident_bytes(server.id());
    let exchange = echoed(64);
    let mut streams = load::connect(server.address, connections, &exchange)?;
    let mut answer = vec![0; exchange.answer];
    for stream in &mut streams {
        stream.write_all(&exchange.request)?;
    }
    for stream in &mut streams {
        stream.set_read_timeout(Some(READ_MAX))?;
        stream.read_exact(&mut answer)?;
    }
    let grown = resident_bytes(server.id()).saturating_sub(before);
    Ok(Sample::from([("resident_bytes", grown as f64 / connections as f64)]))
}
