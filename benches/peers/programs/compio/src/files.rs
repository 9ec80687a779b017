//! Random reads of a file: 32 tasks that share it.

use crate::run_for;
use compio::BufResult;
use compio::fs::File;
use compio::io::AsyncReadAt;
use peer_support::{Places, Work};

const TASKS: u64 = 32;
const BYTES: usize = 4096;

async fn reads(file: File, mut places: Places, times: u64) {
    let mut buffer = Vec::with_capacity(BYTES);
    for _ in 0..times {
        let BufResult(result, back) = file.read_at(buffer, places.next_offset()).await;
        assert_eq!(result.expect("a block"), BYTES);
        buffer = back;
        buffer.clear();
    }
}

pub fn file_reads(work: &Work) {
    let path = work.text("file").to_owned();
    run_for(work, async move |items| {
        let plain = std::fs::File::open(&path).expect("the file");
        let places = |seed| Places::of(&plain, BYTES as u64, seed);
        let file = File::open(&path).await.expect("the file");
        let mut handles = Vec::new();
        for seed in 0..TASKS {
            handles.push(compio::runtime::spawn(reads(file.clone(), places(seed), items / TASKS)));
        }
        for handle in handles {
            handle.await.expect("no panic");
        }
    });
}
