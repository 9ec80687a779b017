//! The workloads on async-executor: a leaked `LocalExecutor`, which is its fastest, with async-io, async-channel and
//! async-lock beside it.

mod files;
mod net;
mod tasks;
mod timers;
mod values;
mod wakes;

use async_executor::{LocalExecutor, StaticLocalExecutor};
use peer_support::Work;
use std::future::Future;

type Executor = &'static StaticLocalExecutor;

/// Runs what `work` makes as a task.
fn run<F: Future<Output = ()> + 'static>(work: impl FnOnce(Executor) -> F) {
    let executor: Executor = LocalExecutor::new().leak();
    let task = executor.spawn(work(executor));
    async_io::block_on(executor.run(task));
}

/// The same, measured.
fn run_for(asked: &Work, work: impl AsyncFn(Executor, u64) + 'static) {
    let asked = asked.clone();
    run(|executor| async move {
        peer_support::measure(&asked, async |items| work(executor, items).await).await;
    });
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
        ("file-reads", files::file_reads),
        ("echo", |work| net::serve(work.number("buffer") as usize)),
        ("idle", |_| net::serve(64)),
    ]);
}
