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
use std::task::Poll;

/// Runs `work` as a task.
fn run(work: impl Future<Output = ()> + 'static) {
    let builder = RuntimeBuilder::<IoUringDriver>::new().with_entries(1024).enable_timer();
    let mut runtime = builder.build().expect("a runtime");
    runtime.block_on(async { monoio::spawn(work).await });
}

/// The same, measured.
fn run_for(asked: &Work, work: impl AsyncFnMut(u64) + 'static) {
    let asked = asked.clone();
    run(async move { peer_support::measure(&asked, work).await });
}

/// monoio has none. A task that wakes itself runs again before all others, so nobody else has a turn in between: its rows
/// of yields and of the lock are without switches.
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
