//! A million tasks that sleep: begun, ended before their time, and woken by it.

use crate::run;
use peer_support::{Measured, Work};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::sleep;

static BEGUN: AtomicU64 = AtomicU64::new(0);

async fn sleeper(duration: Duration) {
    BEGUN.fetch_add(1, Relaxed);
    sleep(duration).await;
}

async fn begin(handles: &mut Vec<JoinHandle<()>>, items: u64, duration: impl Fn(u64) -> Duration) {
    BEGUN.store(0, Relaxed);
    handles.extend((0..items).map(|index| tokio_uring::spawn(sleeper(duration(index)))));
    while BEGUN.load(Relaxed) < items {
        yield_now().await;
    }
}

pub fn timers(work: &Work) {
    let items = work.items();
    run(async move {
        let mut handles = Vec::with_capacity(items as usize);
        let begun = Measured::begin();
        begin(&mut handles, items, |index| Duration::from_millis(60_000 + index % 60_000)).await;
        begun.end("timer-insert", items);

        let begun = Measured::begin();
        handles.iter().for_each(JoinHandle::abort);
        for handle in handles.drain(..) {
            let _ = handle.await;
        }
        begun.end("timer-cancel", items);

        let begun = Measured::begin();
        begin(&mut handles, items, |index| Duration::from_millis(200 + index % 100)).await;
        for handle in handles {
            handle.await.expect("no panic");
        }
        begun.end("timer-fire", items);
    });
}
