//! Drives the runtime on a thread of tokio's.

use std::io;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use unboxed::exec::Budget;
use unboxed::rt::{Pollable, Rest};

/// What was done.
#[derive(Debug, Default, Clone, Copy)]
pub struct Driven {
    /// Turns of the runtime.
    pub turns: u32,
    /// How often tokio was left to sleep.
    pub rests: u32,
}

/// Turns `runtime` until `done`, which is asked after each turn, and gives tokio the thread in between.
///
/// Dropped, it stops turning: what our tasks wait for waits too, until somebody turns again.
///
/// # Errors
/// When tokio does not take the descriptor.
pub async fn drive(runtime: Pollable, mut done: impl FnMut() -> bool) -> io::Result<(Pollable, Driven)> {
    // SAFETY: the descriptor is the ring's: the same, and open, for as long as this runtime lives, which is not
    // exchanged for another one here.
    let mut runtime = unsafe { AsyncFd::register(runtime) }?;
    let mut driven = Driven::default();
    loop {
        driven.turns += 1;
        let more = runtime.get_mut().turn(Budget::POLL).more;
        if done() {
            return Ok((runtime.into_inner(), driven));
        }
        let rest = if more { Rest::No } else { runtime.get_mut().prepare_to_sleep() };
        if rest == Rest::No {
            tokio::task::yield_now().await;
            continue;
        }
        driven.rests += 1;
        let readable = async {
            if let Ok(mut ready) = runtime.readable().await {
                // Before the turn: what comes later makes it ready anew.
                ready.clear_ready();
            }
        };
        match rest.timeout() {
            None => readable.await,
            Some(left) => {
                let _ = tokio::time::timeout(left.max(Duration::from_nanos(1)), readable).await;
            }
        }
    }
}
