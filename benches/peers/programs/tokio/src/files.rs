//! Random reads of a file: 32 tasks that share it, each read on the pool of blocking threads. (A `tokio::fs::File` cannot
//! read at an offset: it would take two trips to the pool, a seek and a read.)

use crate::measured;
use peer_support::{Places, Work};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tokio::task::spawn_blocking;

const TASKS: u64 = 32;
const BYTES: usize = 4096;

async fn reads(file: Arc<File>, mut places: Places, times: u64) {
    let mut buffer = vec![0; BYTES];
    for _ in 0..times {
        let (file, offset) = (file.clone(), places.next_offset());
        let read = spawn_blocking(move || {
            file.read_exact_at(&mut buffer, offset).expect("a block");
            buffer
        });
        buffer = read.await.expect("no panic");
    }
}

pub fn file_reads(work: &Work) {
    let file = Arc::new(File::open(work.text("file")).expect("the file"));
    measured!(work, |items| {
        let mut handles = Vec::new();
        for seed in 0..TASKS {
            let places = Places::of(&file, BYTES as u64, seed);
            handles.push(tokio::spawn(reads(file.clone(), places, items / TASKS)));
        }
        for handle in handles {
            handle.await.expect("no panic");
        }
    });
}
