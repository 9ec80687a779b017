//! Open loop: requests are due by the clock. A latency counts from when its request was due, not from when a connection
//! was free for it, so a server that stalls is charged for all whom it kept waiting (no coordinated omission).

use super::{Clients, Clock, Exchange, Outcome, Window};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// So many wait at most; a server that is this far behind cannot keep the rate, and the rest are not sent.
const BACKLOG_MAX: usize = 1 << 16;

/// Runs for the window's time with `rate` requests a second.
///
/// # Errors
/// The system's, or a connection that ended.
pub fn open(
    address: SocketAddr,
    connections: usize,
    rate: u64,
    exchange: &Exchange,
    window: &mut Window<'_>,
) -> io::Result<Outcome> {
    let mut clients = Clients::connect(address, connections, exchange)?;
    let mut outcome = Outcome::new();
    let mut run = Run {
        free: (0..connections).collect(),
        due_at: vec![Instant::now(); connections],
        waiting: VecDeque::with_capacity(BACKLOG_MAX),
        next: Instant::now(),
        period: Duration::from_nanos(1_000_000_000 / rate),
    };
    match run.run(&mut clients, &mut outcome, &mut Clock::new(window)) {
        Ok(()) => Ok(outcome),
        Err(error) => {
            clients.leak();
            Err(error)
        }
    }
}

struct Run {
    free: Vec<usize>,
    due_at: Vec<Instant>,
    waiting: VecDeque<Instant>,
    next: Instant,
    period: Duration,
}

impl Run {
    fn run(
        &mut self,
        clients: &mut Clients<'_>,
        outcome: &mut Outcome,
        clock: &mut Clock<'_, '_>,
    ) -> io::Result<()> {
        let mut done = Vec::new();
        loop {
            self.send_due(clients)?;
            clients.reap(0, &mut done)?;
            let now = Instant::now();
            self.record(&mut done, now, outcome);
            if clock.tick(now, outcome) {
                break;
            }
        }
        while self.free.len() < clients.streams.len() {
            clients.reap(1, &mut done)?;
            self.free.append(&mut done);
        }
        Ok(())
    }

    fn send_due(&mut self, clients: &mut Clients<'_>) -> io::Result<()> {
        let now = Instant::now();
        while self.next <= now {
            if self.waiting.len() < BACKLOG_MAX {
                self.waiting.push_back(self.next);
            }
            self.next += self.period;
        }
        while let (Some(due), Some(index)) = (self.waiting.front().copied(), self.free.last().copied()) {
            self.waiting.pop_front();
            self.free.pop();
            self.due_at[index] = due;
            clients.push(index)?;
        }
        Ok(())
    }

    fn record(&mut self, done: &mut Vec<usize>, now: Instant, outcome: &mut Outcome) {
        outcome.requests += done.len() as u64;
        for &index in &*done {
            outcome.latencies.record(now - self.due_at[index]);
        }
        self.free.append(done);
    }
}
