//! The workloads on glommio, one executor. Its lock for tasks of one executor is the semaphore.

mod files;
mod net;
mod nops;
mod tasks;
mod timers;
mod values;
mod wakes;

use glommio::LocalExecutorBuilder;
use peer_support::Work;
use std::future::Future;

/// Runs `work`, which makes a task of it.
fn run(work: impl Future<Output = ()>) {
    LocalExecutorBuilder::default().make().expect("an executor").run(work);
}

/// The same, measured.
fn run_for(asked: &Work, work: impl AsyncFnMut(u64)) {
    run(peer_support::measure(asked, work));
}

/// After glommio's own benches: always, whatever the time that the task has had.
async fn yield_now() {
    glommio::executor().yield_now().await;
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
