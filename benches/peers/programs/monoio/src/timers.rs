//! A million tasks that sleep, begun and woken. A task cannot be aborted, so there is no row of cancelled ones.

use monoio::task::JoinHandle;
use monoio::time::sleep;
use monoio::{IoUringDriver, RuntimeBuilder};
use peer_support::{Measured, Signal, Work};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

type Left = Rc<(Cell<u64>, Signal)>;

async fn sleeper(left: Left, duration: Duration) {
    left.0.set(left.0.get() - 1);
    if left.0.get() == 0 {
        left.1.tell();
    }
    sleep(duration).await;
}

async fn begin(items: u64, duration: impl Fn(u64) -> Duration) -> Vec<JoinHandle<()>> {
    let left: Left = Rc::new((Cell::new(items), Signal::default()));
    let handles = (0..items).map(|index| monoio::spawn(sleeper(left.clone(), duration(index)))).collect();
    left.1.told().await;
    handles
}

pub fn timers(work: &Work) {
    let items = work.items();
    let mut runtime = RuntimeBuilder::<IoUringDriver>::new().enable_timer().build().expect("a runtime");
    runtime.block_on(async {
        let begun = Measured::begin();
        for handle in begin(items, |index| Duration::from_millis(200 + index % 100)).await {
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
