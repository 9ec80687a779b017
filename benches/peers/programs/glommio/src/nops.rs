//! Operations that do nothing: many tasks with one each. After glommio's own `benches/nop.rs`.

use crate::run_for;
use glommio::nop::NopSubmitter;
use peer_support::Work;

pub fn at_once(work: &Work, tasks: u64) {
    run_for(work, async move |items| {
        let mut handles = Vec::new();
        for _ in 0..tasks {
            handles.push(glommio::spawn_local(async move {
                let submitter = NopSubmitter::new();
                for _ in 0..items / tasks {
                    submitter.run_nop().await.expect("a no-op");
                }
            }));
        }
        for handle in handles {
            handle.await;
        }
    });
}
