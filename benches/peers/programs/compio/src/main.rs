//! The workloads on compio with its ring. It has no channels, and its authors take flume's; locks are of synchrony, which
//! they keep beside it.

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

/// Runs `work` as `compio::main` does: not as a task, as each tick of a task that starts another waits for the ring.
fn run(work: impl Future<Output = ()>) {
    Runtime::new().expect("a runtime").block_on(work);
}

/// The same, measured.
fn run_for(asked: &Work, work: impl AsyncFnMut(u64)) {
    run(peer_support::measure(asked, work));
}

/// compio has none; its own benchmark of the executor does the same.
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
