//! A million tasks that sleep: begun, cancelled before their time, and woken by it.

use crate::{run, yield_now};
use compio::runtime::{JoinHandle, time::sleep};
use peer_support::{Measured, Work};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

async fn sleeper(begun: Rc<Cell<u64>>, duration: Duration) {
    begun.set(begun.get() + 1);
    sleep(duration).await;
}

async fn begin(items: u64, duration: impl Fn(u64) -> Duration) -> Vec<JoinHandle<()>> {
    let begun = Rc::new(Cell::new(0));
    let handles =
        (0..items).map(|index| compio::runtime::spawn(sleeper(begun.clone(), duration(index)))).collect();
    while begun.get() < items {
        yield_now().await;
    }
    handles
}

pub fn timers(work: &Work) {
    let items = work.items();
    run(async move {
        let begun = Measured::begin();
        let tasks = begin(items, |index| Duration::from_millis(60_000 + index % 60_000)).await;
        begun.end("timer-insert", items);

        let begun = Measured::begin();
        for task in tasks {
            task.cancel().await;
        }
        begun.end("timer-cancel", items);

        let begun = Measured::begin();
        for task in begin(items, |index| Duration::from_millis(200 + index % 100)).await {
            task.await.expect("no panic");
        }
        begun.end("timer-fire", items);
    });
}
