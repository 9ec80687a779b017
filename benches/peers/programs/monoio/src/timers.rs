//! A million tasks that sleep, begun and woken. A task cannot be aborted, so there is no row of cancelled ones.

use crate::{run, yield_now};
use monoio::task::JoinHandle;
use monoio::time::sleep;
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
    let handles = (0..items).map(|index| monoio::spawn(sleeper(begun.clone(), duration(index)))).collect();
    while begun.get() < items {
        yield_now().await;
    }
    handles
}

pub fn timers(work: &Work) {
    let items = work.items();
    run(async move {
        let begun = Measured::begin();
        for handle in begin(items, |index| Duration::from_millis(500 + index % 100)).await {
            handle.await;
        }
        begun.end("timer-fire", items);

        let begun = Measured::begin();
        std::mem::forget(begin(items, |index| Duration::from_millis(60_000 + index % 60_000)).await);
        begun.end("timer-insert", items);
        // The sleepers are left; nothing of them is measured.
        std::process::exit(0);
    });
}
