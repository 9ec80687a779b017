//! The workloads on tokio: `flavour=current`, or `flavour=multi` with `workers=N`.

mod files;
mod net;
mod tasks;
mod timers;
mod values;
mod wakes;

use peer_support::{Work, fail};
use tokio::runtime::{Builder, Runtime};

fn runtime(work: &Work) -> Runtime {
    let mut builder = match work.text("flavour") {
        "current" => Builder::new_current_thread(),
        "multi" => Builder::new_multi_thread(),
        other => fail(&format!("flavour={other}: current or multi")),
    };
    if work.text("flavour") == "multi" {
        builder.worker_threads(work.number("workers") as usize);
    }
    builder.enable_all().build().expect("a runtime")
}

/// Runs `future` as a task.
fn run(work: &Work, future: impl Future<Output = ()> + Send + 'static) {
    runtime(work).block_on(async { tokio::spawn(future).await.expect("no panic") });
}

/// Measures work that is a task.
macro_rules! measured {
    ($work:expr, |$items:ident| $body:expr) => {{
        let asked = $work.clone();
        $crate::run($work, async move {
            for round in peer_support::rounds(&asked) {
                let $items = round.items;
                $body;
                round.end();
            }
        });
    }};
}
use measured;

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
        ("echo", |work| net::serve(work, work.number("buffer") as usize)),
        ("idle", |work| net::serve(work, 64)),
    ]);
}
