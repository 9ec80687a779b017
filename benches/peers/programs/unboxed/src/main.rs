//! The workloads on unboxed, one thread: all tasks in static pools.

mod files;
mod net;
mod nops;
mod tasks;
mod timers;
mod values;
mod wakes;

use peer_support::{Work, fail};
use std::future::Future;
use std::pin::Pin;
use unboxed::rt::{Config, RuntimeCell};

/// Ten thousand connections, and some.
static RUNTIME: RuntimeCell<12_000> = RuntimeCell::new();

/// The task that starts the others and waits for them.
#[unboxed::task(ops = 64, local)]
async fn driver(work: Pin<Box<dyn Future<Output = ()>>>) {
    work.await;
}

/// Runs `work` as a task.
fn run(work: impl Future<Output = ()> + 'static) {
    let config = Config::new().entries(1024);
    let mut runtime = RUNTIME.start(config).unwrap_or_else(|error| fail(&format!("no runtime: {error}")));
    let work = Box::pin(work);
    runtime.block_on(async { driver::spawn(work).expect("an empty pool").await.expect("no panic") });
}

/// The same with what is asked of it.
fn run_for(asked: &Work, work: impl AsyncFnMut(u64) + 'static) {
    let (asked, work) = (asked.clone(), work);
    run(async move { peer_support::measure(&asked, work).await });
}

fn main() {
    peer_support::run(&[
        ("spawn-join", tasks::spawn_join),
        ("batch", tasks::batch),
        ("chain", tasks::chain),
        ("yield", tasks::yields),
        ("ping-pong", values::ping_pong),
        ("channel", values::channel),
        ("mutex", values::mutex),
        ("timers", timers::timers),
        ("wake-threads", wakes::wake_threads),
        ("nop-1", nops::nop_1),
        ("nop-32", nops::nop_32),
        ("nop-128", nops::nop_128),
        ("file-reads", files::file_reads),
        ("echo", net::echo_server),
        ("idle", net::idle_server),
    ]);
}
