//! The workloads on monoio with its ring. It has no lock of its own, and no way to abort a task; channels are those of
//! local-sync, which its authors keep beside it.

mod files;
mod net;
mod tasks;
mod timers;
mod values;
mod wakes;

use monoio::{IoUringDriver, RuntimeBuilder};
use peer_support::Work;
use std::future::{Future, poll_fn};
use std::task::{Poll, Waker};

/// Runs `work` as `monoio::main` does, which makes a task of it.
fn run(work: impl Future<Output = ()>) {
    RuntimeBuilder::<IoUringDriver>::new().build().expect("a runtime").block_on(work);
}

/// The same, measured.
fn run_for(asked: &Work, work: impl AsyncFnMut(u64)) {
    run(peer_support::measure(asked, work));
}

/// Ends a poll, and leaves it to `wake` when there is the next one.
async fn pause(wake: impl Fn(&Waker)) {
    let mut paused = false;
    poll_fn(|cx| {
        if paused {
            return Poll::Ready(());
        }
        paused = true;
        wake(cx.waker());
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
