//! The workloads on embassy's executor for a thread of the standard library. Its tasks give no output and cannot be
//! awaited, so they tell through signals. It has no sockets and no files here. A million timers it cannot hold: its queue
//! of them is a list that is searched whole.

mod tasks;
mod values;

use embassy_executor::{Executor, Spawner};
use peer_support::{Partner, Work, measure};
use std::process::exit;

type Starter = fn(Spawner, Work);

/// What tasks share lives for ever.
fn shared<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Runs the executor; the workload's task ends the process.
fn run(work: &Work, start: Starter) {
    let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
    executor.run(|spawner| start(spawner, work.clone()));
}

/// A workload's task, which measures and ends the process.
macro_rules! workload {
    ($name:ident, |$spawner:ident, $items:ident| $body:expr) => {
        pub fn $name(work: &peer_support::Work) {
            #[embassy_executor::task]
            async fn driver($spawner: embassy_executor::Spawner, work: peer_support::Work) {
                peer_support::measure(&work, async |$items: u64| $body).await;
                std::process::exit(0);
            }
            crate::run(work, |spawner, work| spawner.spawn(driver(spawner, work).expect("an empty pool")));
        }
    };
}
use workload;

#[embassy_executor::task]
async fn wakes(work: Work) {
    measure(&work, async |items| Partner::start(items).answer(items).await).await;
    exit(0);
}

fn wake_threads(work: &Work) {
    run(work, |spawner, work| spawner.spawn(wakes(work).expect("an empty pool")));
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
        ("wake-threads", wake_threads),
    ]);
}
