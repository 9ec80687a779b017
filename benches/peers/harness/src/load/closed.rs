//! Closed loop: the answer brings the next request.

use super::{Clients, Clock, Exchange, Outcome, Window};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

/// So few connections leave the generator without work so often that its sleeping would be what is measured.
const SPIN_BELOW: usize = 8;

/// Runs for the window's time.
///
/// # Errors
/// The system's, or a connection that ended.
pub fn closed(
    address: SocketAddr,
    connections: usize,
    exchange: &Exchange,
    window: &mut Window<'_>,
) -> io::Result<Outcome> {
    let mut clients = Clients::connect(address, connections, exchange)?;
    let mut outcome = Outcome::new();
    match run(&mut clients, &mut outcome, &mut Clock::new(window)) {
        Ok(()) => Ok(outcome),
        Err(error) => {
            clients.leak();
            Err(error)
        }
    }
}

fn run(clients: &mut Clients<'_>, outcome: &mut Outcome, clock: &mut Clock<'_, '_>) -> io::Result<()> {
    let connections = clients.streams.len();
    let mut sent = vec![Instant::now(); connections];
    let mut done = Vec::with_capacity(connections);
    (0..connections).try_for_each(|index| clients.push(index))?;
    let least = usize::from(connections >= SPIN_BELOW);
    loop {
        clients.reap(least, &mut done)?;
        let now = Instant::now();
        outcome.requests += done.len() as u64 * clients.exchange.units;
        for &index in &done {
            outcome.latencies.record(now - sent[index]);
            sent[index] = now;
        }
        if clock.tick(now, outcome) {
            break;
        }
        for index in done.drain(..) {
            clients.push(index)?;
        }
    }
    // LOAD-1.
    let mut left = connections - done.len();
    while left > 0 {
        done.clear();
        clients.reap(1, &mut done)?;
        left -= done.len();
    }
    Ok(())
}
