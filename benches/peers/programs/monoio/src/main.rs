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
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::task::{Poll, Waker};

/// Runs `work` as a task.
fn run(work: impl Future<Output = ()> + 'static) {
    let builder = RuntimeBuilder::<IoUringDriver>::new().with_entries(1024).enable_timer();
    let mut runtime = builder.build().expect("a runtime");
    runtime.block_on(async {
        drop(monoio::spawn(wake_yielders()));
        monoio::spawn(work).await;
    });
    YIELDED.take();
}

/// The same, measured.
fn run_for(asked: &Work, work: impl AsyncFnMut(u64) + 'static) {
    let asked = asked.clone();
    run(async move { peer_support::measure(&asked, work).await });
}

thread_local! {
    /// Who yielded, and the task that wakes them while it sleeps.
    static YIELDED: RefCell<(Vec<Waker>, Option<Waker>)> = const { RefCell::new((Vec::new(), None)) };
}

/// monoio 0.2 has none, and a task that wakes itself runs again before all others, so that nobody has a turn in between.
/// Those who yield are woken by a task of their own, behind whatever is ready.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        YIELDED.with_borrow_mut(|(yielders, sleeper)| {
            yielders.push(cx.waker().clone());
            sleeper.take().into_iter().for_each(Waker::wake);
        });
        Poll::Pending
    })
    .await;
}

async fn wake_yielders() {
    poll_fn(|cx| {
        YIELDED.with_borrow_mut(|(yielders, sleeper)| {
            yielders.drain(..).for_each(Waker::wake);
            *sleeper = Some(cx.waker().clone());
        });
        Poll::Pending
    })
    .await
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
