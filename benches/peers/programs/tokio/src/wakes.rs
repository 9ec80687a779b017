//! A plain thread wakes a task, and the task the thread.

use crate::measured;
use peer_support::{Partner, Work};

pub fn wake_threads(work: &Work) {
    measured!(work, |items| Partner::start(items).answer(items).await);
}
