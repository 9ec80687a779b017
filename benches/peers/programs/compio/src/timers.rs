//! A million tasks that sleep: begun, cancelled before their time, and woken by it.

use crate::{run, yield_now};
use compio::runtime::{JoinHandle, time::sleep};
use peer_support::{Measured, Sleepers, Work};
use std::rc::Rc;
use std::time::Duration;

async fn sleeper(all: Rc<Sleepers>, duration: Duration) {
    let _sleeper = all.begin();
    sleep(duration).await;
}

async fn begin(all: &Rc<Sleepers>, items: u64, duration: impl Fn(u64) -> Duration) -> Vec<JoinHandle<()>> {
    let before = all.begun();
    let handles =
        (0..items).map(|index| compio::runtime::spawn(sleeper(all.clone(), duration(index)))).collect();
    while all.begun() - before < items {
        yield_now().await;
    }
    handles
}

pub fn timers(work: &Work) {
    let items = work.items();
    run(async move {
        let all = Rc::new(Sleepers::default());
        let begun = Measured::begin();
        let tasks = begin(&all, items, |index| Duration::from_millis(60_000 + index % 60_000)).await;
        begun.end("timer-insert", items);

        let begun = Measured::begin();
        // Dropping a handle cancels its task, of which the executor drops the future at its next turn. (`cancel` does not
        // wait for that.)
        drop(tasks);
        while all.gone() < items {
            yield_now().await;
        }
        begun.end("timer-cancel", items);

        let begun = Measured::begin();
        for task in begin(&all, items, |index| Duration::from_millis(200 + index % 100)).await {
            task.await.expect("no panic");
        }
        begun.end("timer-fire", items);
    });
}
