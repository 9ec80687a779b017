//! A million tasks that sleep: begun, cancelled before their time, and woken by it.

use crate::{Executor, run};
use async_executor::Task;
use async_io::Timer;
use futures_lite::future::yield_now;
use peer_support::{Measured, Sleepers, Work};
use std::rc::Rc;
use std::time::Duration;

async fn sleeper(all: Rc<Sleepers>, duration: Duration) {
    let _sleeper = all.begin();
    Timer::after(duration).await;
}

async fn begin(
    executor: Executor,
    all: &Rc<Sleepers>,
    items: u64,
    duration: impl Fn(u64) -> Duration,
) -> Vec<Task<()>> {
    let before = all.begun();
    let tasks = (0..items).map(|index| executor.spawn(sleeper(all.clone(), duration(index)))).collect();
    while all.begun() - before < items {
        yield_now().await;
    }
    tasks
}

pub fn timers(work: &Work) {
    let items = work.items();
    run(|executor| async move {
        let all = Rc::new(Sleepers::default());
        let begun = Measured::begin();
        let tasks =
            begin(executor, &all, items, |index| Duration::from_millis(60_000 + index % 60_000)).await;
        begun.end("timer-insert", items);

        let begun = Measured::begin();
        // Dropping a task cancels it; the executor drops its future at its next turn.
        drop(tasks);
        while all.gone() < items {
            yield_now().await;
        }
        begun.end("timer-cancel", items);

        let begun = Measured::begin();
        for task in begin(executor, &all, items, |index| Duration::from_millis(200 + index % 100)).await {
            task.await;
        }
        begun.end("timer-fire", items);
    });
}
