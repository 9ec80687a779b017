//! Random reads of a file: 32 tasks that share it, each read on the thread pool of `blocking`. (A `File` of async-fs reads
//! ahead, which random places make worse by far.)

use crate::run_for;
use peer_support::{Places, Work};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

const TASKS: u64 = 32;
const BYTES: usize = 4096;

async fn reads(file: Arc<File>, mut places: Places, times: u64) {
    let mut buffer = vec![0; BYTES];
    for _ in 0..times {
        let (file, offset) = (file.clone(), places.next_offset());
        buffer = blocking::unblock(move || {
            file.read_exact_at(&mut buffer, offset).expect("a block");
            buffer
        })
        .await;
    }
}

pub fn file_reads(work: &Work) {
    let file = Arc::new(File::open(work.text("file")).expect("the file"));
    run_for(work, async move |executor, items| {
        let mut tasks = Vec::new();
        for seed in 0..TASKS {
            let places = Places::of(&file, BYTES as u64, seed);
            tasks.push(executor.spawn(reads(file.clone(), places, items / TASKS)));
        }
        for task in tasks {
            task.await;
        }
    });
}
