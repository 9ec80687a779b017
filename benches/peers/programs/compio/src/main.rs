//! The workloads on compio with its ring. Channels are flume's and locks async-lock's, as it has none.

mod files;
mod net;
mod tasks;
mod timers;
mod values;
mod wakes;

use compio::runtime::Runtime;
use peer_support::Work;
use std::future::{Future, poll_fn};
use std::task::Poll;

/// Runs `work` as a task.
fn run(work: impl Future<Output = ()> + 'static) {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async { compio::runtime::spawn(work).await.expect("no panic") });
}

/// The same, measured.
fn run_for(asked: &Work, work: impl AsyncFnMut(u64) + 'static) {
    let asked = asked.clone();
    run(async move { peer_support::measure(&asked, work).await });
}

/// compio has none.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
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
