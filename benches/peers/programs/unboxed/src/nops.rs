//! Operations that do nothing: one at a time, and many tasks with one each.

use crate::run_for;
use peer_support::Work;
use unboxed::op::nop;

#[unboxed::task(pool = 128, ops = 1)]
async fn nops(times: u64) {
    for _ in 0..times {
        nop().await.expect("a no-op");
    }
}

fn at_once<const TASKS: usize>(work: &Work) {
    run_for(work, async |items| {
        let each = items / TASKS as u64;
        let handles: [_; TASKS] = std::array::from_fn(|_| nops::spawn(each).expect("a block"));
        for handle in handles {
            handle.await.expect("no panic");
        }
    });
}

pub fn nop_1(work: &Work) {
    at_once::<1>(work);
}

pub fn nop_32(work: &Work) {
    at_once::<32>(work);
}

pub fn nop_128(work: &Work) {
    at_once::<128>(work);
}
