//! The workloads on tokio-uring: tokio's current-thread runtime, whose tasks stay on their thread, with a ring.

mod files;
mod net;
mod nops;
mod tasks;
mod timers;
mod values;
mod wakes;

use peer_support::Work;
use std::future::Future;

/// Runs `work` as a task.
fn run(work: impl Future<Output = ()> + 'static) {
    tokio_uring::builder().entries(1024).start(async { tokio_uring::spawn(work).await.expect("no panic") });
}

/// The same, measured.
fn run_for(asked: &Work, work: impl AsyncFnMut(u64) + 'static) {
    let asked = asked.clone();
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
        ("nop-1", |work| nops::at_once(work, 1)),
        ("nop-32", |work| nops::at_once(work, 32)),
        ("nop-128", |work| nops::at_once(work, 128)),
        ("file-reads", files::file_reads),
        ("echo", |work| net::serve(work.number("buffer") as usize)),
        ("idle", |_| net::serve(64)),
    ]);
}
