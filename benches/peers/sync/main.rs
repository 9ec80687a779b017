//! The locks and channels against other crates'.
//!
//! Two tasks always run on our runtime, whatever crate their primitive is of, so that only the primitives differ;
//! tokio's run on tokio's current-thread runtime as well.

mod alone;
mod handed;
mod values;

use unboxed::rt::{Config, RuntimeCell};
use unboxed_peers::{Runtimes, measure};

fn main() {
    static CELL: RuntimeCell = RuntimeCell::new();
    let mut runtime = match CELL.start(Config::new()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    let tokio = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut runtimes = Runtimes { unboxed: &mut runtime, tokio };
    let mut rows = alone::rows();
    rows.extend(handed::rows());
    rows.extend(values::rows());
    measure(&mut runtimes, rows);
}
