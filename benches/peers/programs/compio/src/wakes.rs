//! A plain thread wakes a task, and the task the thread.

use crate::run_for;
use peer_support::{Partner, Work};

pub fn wake_threads(work: &Work) {
    run_for(work, async |items| Partner::start(items).answer(items).await);
}
