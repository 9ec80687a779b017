//! Random reads of a file: 32 tasks. `tokio::fs` has no read at an offset, so each task has its own `File` and seeks.

use crate::measured;
use peer_support::{Places, Work};
use std::io::SeekFrom;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const TASKS: u64 = 32;
const BYTES: usize = 4096;

async fn reads(path: &'static str, seed: u64, times: u64) {
    let mut file = File::open(path).await.expect("the file");
    let mut places = Places::of(&std::fs::File::open(path).expect("the file"), BYTES as u64, seed);
    file.set_max_buf_size(BYTES);
    let mut buffer = [0; BYTES];
    for _ in 0..times {
        file.seek(SeekFrom::Start(places.next_offset())).await.expect("an offset within");
        file.read_exact(&mut buffer).await.expect("a block");
    }
}

pub fn file_reads(work: &Work) {
    let path: &'static str = work.text("file").to_owned().leak();
    measured!(work, |items| {
        let mut handles = Vec::new();
        for seed in 0..TASKS {
            handles.push(tokio::spawn(reads(path, seed, items / TASKS)));
        }
        for handle in handles {
            handle.await.expect("no panic");
        }
    });
}
