//! The workloads on glommio, one executor. Its lock for tasks of one executor is the semaphore.

mod files;
mod net;
mod tasks;
mod timers;
mod values;
mod wakes;

use glommio::LocalExecutorBuilder;
use peer_support::Work;
use std::future::Future;

/// Runs `work` as a task.
fn run(work: impl Future<Output = ()> + 'static) {
    let executor = LocalExecutorBuilder::default().make().expect("an executor");
    executor.run(async { glommio::spawn_local(work).await });
}

/// The same, measured.
fn run_for(asked: &Work, work: impl AsyncFnMut(u64) + 'static) {
    let asked = asked.clone();
    run(async move { peer_support::measure(&asked, work).await });
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
        ("file-reads", files::file_reads),
        ("echo", |work| net::serve(work.number("buffer") as usize)),
        ("idle", |_| net::serve(64)),
    ]);
}
