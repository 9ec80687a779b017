//! Operations that do nothing: many tasks with one each.

use crate::run_for;
use peer_support::Work;

pub fn at_once(work: &Work, tasks: u64) {
    run_for(work, async move |items| {
        let mut handles = Vec::new();
        for _ in 0..tasks {
            handles.push(tokio_uring::spawn(async move {
                for _ in 0..items / tasks {
                    tokio_uring::no_op().await.expect("a no-op");
                }
            }));
        }
        for handle in handles {
            handle.await.expect("no panic");
        }
    });
}
