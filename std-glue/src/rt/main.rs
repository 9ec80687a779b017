//! What `#[unboxed::main]` calls.

use super::{Config, Runtime, RuntimeCell};
use std::future::Future;

static MAIN: RuntimeCell = RuntimeCell::new();

/// Runs `future` on the process's main runtime, with the default configuration.
///
/// # Panics
/// As [`run_main_with`].
pub fn run_main<F: Future>(future: F) -> F::Output {
    run_main_with(Config::new(), future)
}

/// Runs `future` on the process's main runtime, and closes it afterwards.
///
/// # Panics
/// When the kernel refuses a ring; the message names the cause and the remedy.
pub fn run_main_with<F: Future>(config: Config, future: F) -> F::Output {
    let mut runtime: Runtime =
        MAIN.start(config).unwrap_or_else(|error| panic!("unboxed: no runtime: {error}"));
    runtime.block_on(future)
}
