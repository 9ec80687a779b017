//! What `#[unboxed::main]` calls.

use super::{Config, Runtime, RuntimeCell};
use std::future::Future;

/// Starts the runtime in `cell`, runs `future` on it, and closes it afterwards.
///
/// # Panics
/// When it does not start; the message names the cause and the remedy.
pub fn run_main<
    F: Future,
    const FILES: usize,
    const WORKERS: usize,
    const ROOT_OPS: usize,
    const SPARES: usize,
>(
    cell: &'static RuntimeCell<FILES, WORKERS, ROOT_OPS, SPARES>,
    config: Config,
    future: F,
) -> F::Output {
    let mut runtime: Runtime =
        cell.start(config).unwrap_or_else(|error| panic!("unboxed: no runtime: {error}"));
    runtime.block_on(future)
}
