//! Random reads of a file: 32 tasks that share it, each with a block of 4096 bytes in its own.

use crate::run_for;
use peer_support::{Places, Work};
use unboxed::fs::File;
use unboxed::task::Bytes;

const TASKS: usize = 32;
const BYTES: usize = 4096;

#[unboxed::task(pool = TASKS, ops = 1, bytes = BYTES)]
async fn reads(file: File, mut places: Places, times: u64, mut bytes: Bytes<'_>) {
    for _ in 0..times {
        assert_eq!(file.read_at(&mut bytes, places.next_offset()).await, Ok(BYTES));
    }
}

pub fn file_reads(work: &Work) {
    let path = work.text("file").to_owned();
    run_for(work, async move |items| {
        let plain = std::fs::File::open(&path).expect("the file");
        let file = File::open(&path).expect("the file");
        let each = items / TASKS as u64;
        let handles: [_; TASKS] = std::array::from_fn(|seed| {
            let places = Places::of(&plain, BYTES as u64, seed as u64);
            reads::spawn(file.clone(), places, each).expect("a block")
        });
        for handle in handles {
            handle.await.expect("no panic");
        }
    });
}
