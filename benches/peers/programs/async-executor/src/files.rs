//! Random reads of a file: 32 tasks with a `File` of async-fs each, on the thread pool of `blocking`.

use crate::run_for;
use async_fs::File;
use futures_lite::{AsyncReadExt, AsyncSeekExt};
use peer_support::{Places, Work};
use std::io::SeekFrom;

const TASKS: u64 = 32;
const BYTES: usize = 4096;

async fn reads(path: &'static str, seed: u64, times: u64) {
    let mut file = File::open(path).await.expect("the file");
    let mut places = Places::of(&std::fs::File::open(path).expect("the file"), BYTES as u64, seed);
    let mut buffer = [0; BYTES];
    for _ in 0..times {
        file.seek(SeekFrom::Start(places.next_offset())).await.expect("an offset within");
        file.read_exact(&mut buffer).await.expect("a block");
    }
}

pub fn file_reads(work: &Work) {
    let path: &'static str = work.text("file").to_owned().leak();
    run_for(work, async move |executor, items| {
        let mut tasks = Vec::new();
        for seed in 0..TASKS {
            tasks.push(executor.spawn(reads(path, seed, items / TASKS)));
        }
        for task in tasks {
            task.await;
        }
    });
}
