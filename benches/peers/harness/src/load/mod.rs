//! The load generator: a bare ring on its own processor, one request a connection at a time.
//!
//! LOAD-1: what an entry names (the request, the sink, the address) lives until the ring is empty: each run drains it
//! before it returns, or leaks what it names.

mod churn;
mod closed;
mod histogram;
mod open;

pub use churn::churn;
pub use closed::closed;
pub use histogram::Histogram;
pub use open::open;

use io_uring::types::{Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// What is sent and what is awaited.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub request: Vec<u8>,
    /// Bytes of the answer.
    pub answer: usize,
    /// As how many requests one exchange counts.
    pub units: u64,
}

/// How long, and what is called when the measured time begins and ends.
pub struct Window<'a> {
    pub warm: Duration,
    pub length: Duration,
    pub begin: &'a mut dyn FnMut(),
    pub end: &'a mut dyn FnMut(),
}

/// What came out.
#[derive(Debug)]
pub struct Outcome {
    pub requests: u64,
    pub wall: Duration,
    /// Processor time of the load generator itself.
    pub cpu: Duration,
    pub latencies: Histogram,
}

/// The window's state while it is worked in.
struct Clock<'w, 'a> {
    window: &'w mut Window<'a>,
    started: Instant,
    begun: Option<(Instant, Duration)>,
}

impl<'w, 'a> Clock<'w, 'a> {
    fn new(window: &'w mut Window<'a>) -> Self {
        Self { window, started: Instant::now(), begun: None }
    }

    /// Begins the measured time when the warming is over; the outcome when that has ended too.
    fn tick(&mut self, now: Instant, outcome: &mut Outcome) -> bool {
        match self.begun {
            None if now - self.started >= self.window.warm => {
                (self.window.begin)();
                outcome.requests = 0;
                outcome.latencies = Histogram::new();
                self.begun = Some((Instant::now(), thread_cpu()));
                false
            }
            Some((begun, cpu)) if now - begun >= self.window.length => {
                outcome.wall = begun.elapsed();
                outcome.cpu = thread_cpu() - cpu;
                (self.window.end)();
                true
            }
            _ => false,
        }
    }
}

impl Outcome {
    fn new() -> Self {
        Self { requests: 0, wall: Duration::ZERO, cpu: Duration::ZERO, latencies: Histogram::new() }
    }
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Connections that are open, one request of each in flight at most.
struct Clients<'a> {
    ring: IoUring,
    streams: Vec<TcpStream>,
    exchange: &'a Exchange,
    sink: Vec<u8>,
    /// Bytes of each connection's answer that have not come yet.
    left: Vec<usize>,
}

/// A server that answers nobody for so long has hung.
const WAIT_MAX_S: u64 = 5;

/// Marks a send's completion, which comes only if it failed.
const SEND: u64 = 1 << 63;

impl<'a> Clients<'a> {
    fn connect(address: SocketAddr, connections: usize, exchange: &'a Exchange) -> io::Result<Self> {
        let streams = connect(address, connections, exchange)?;
        let fds: Vec<i32> = streams.iter().map(AsRawFd::as_raw_fd).collect();
        let ring = ring()?;
        ring.submitter().register_files(&fds)?;
        let left = vec![0; connections];
        Ok(Self { ring, streams, exchange, sink: vec![0; exchange.answer], left })
    }

    /// Sends on a connection and awaits the whole answer. Only its length is looked at: what a server answers is looked
    /// at once before, not here.
    fn push(&mut self, index: usize) -> io::Result<()> {
        let request = &self.exchange.request;
        let send = opcode::Send::new(Fixed(index as u32), request.as_ptr(), request.len() as u32);
        let send = send.flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL).build().user_data(SEND);
        push(&mut self.ring, &send.flags(squeue::Flags::SKIP_SUCCESS))?;
        self.left[index] = self.exchange.answer;
        self.push_recv(index)
    }

    /// The kernel drops the bytes where they lie (`MSG_TRUNC`), so that the generator has a copy less to make than any
    /// server. With `MSG_WAITALL` it would not count them when an answer comes in pieces.
    fn push_recv(&mut self, index: usize) -> io::Result<()> {
        /// There is no answer yet, so a first try to receive it would be in vain.
        const POLL_FIRST: u16 = 1;
        let recv = opcode::Recv::new(Fixed(index as u32), self.sink.as_mut_ptr(), self.left[index] as u32);
        let recv = recv.flags(libc::MSG_TRUNC).ioprio(POLL_FIRST).build();
        push(&mut self.ring, &recv.user_data(index as u64))
    }

    /// The connections that were answered, into `done`; waits for `least`.
    fn reap(&mut self, least: usize, done: &mut Vec<usize>) -> io::Result<()> {
        if least > 0 {
            wait(&mut self.ring, least)?;
        } else {
            look(&mut self.ring)?;
        }
        let mut pieces = Vec::new();
        for completion in self.ring.completion() {
            let (index, result) = (completion.user_data(), completion.result());
            if result < 0 {
                return Err(io::Error::from_raw_os_error(-result));
            }
            if index & SEND != 0 {
                continue;
            }
            let index = index as usize;
            self.left[index] -= result as usize;
            match (self.left[index], result) {
                (0, _) => done.push(index),
                (_, 0) => return Err(io::Error::other("the server ended a connection")),
                _ => pieces.push(index),
            }
        }
        pieces.into_iter().try_for_each(|index| self.push_recv(index))
    }

    /// LOAD-1: whatever failed, what the ring may still write to stays.
    fn leak(self) {
        std::mem::forget((self.sink, self.exchange.request.clone()));
    }
}

/// Connects, one after another. A server must have answered the last of each group before the next group comes: what
/// overflows a listener's backlog is tried again only after a second.
pub fn connect(address: SocketAddr, connections: usize, exchange: &Exchange) -> io::Result<Vec<TcpStream>> {
    const GROUP: usize = 64;
    let mut answer = vec![0; exchange.answer];
    let mut one = |index| {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        if index % GROUP == GROUP - 1 {
            stream.set_read_timeout(Some(Duration::from_secs(WAIT_MAX_S)))?;
            stream.write_all(&exchange.request)?;
            stream.read_exact(&mut answer)?;
        }
        Ok(stream)
    };
    (0..connections).map(&mut one).collect()
}

fn ring() -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_cqsize(8192);
    builder.build(4096)
}

fn push(ring: &mut IoUring, entry: &squeue::Entry) -> io::Result<()> {
    // SAFETY: LOAD-1.
    while unsafe { ring.submission().push(entry) }.is_err() {
        ring.submit()?;
    }
    Ok(())
}

/// Submits, and waits for so many completions; fails if there are none for a long time.
fn wait(ring: &mut IoUring, least: usize) -> io::Result<()> {
    let longest = Timespec::new().sec(WAIT_MAX_S);
    ring.submitter().submit_with_args(least, &SubmitArgs::new().timespec(&longest)).map(|_| ())
}

/// Submits, and takes what is there without a wait.
fn look(ring: &mut IoUring) -> io::Result<()> {
    const GET_EVENTS: u32 = 1;
    let entries = ring.submission().len() as u32;
    // SAFETY: no argument is passed.
    unsafe { ring.submitter().enter::<libc::sigset_t>(entries, 0, GET_EVENTS, None) }.map(|_| ())
}
