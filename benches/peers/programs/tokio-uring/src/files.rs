//! Random reads of a file: 32 tasks that share it.

use crate::run_for;
use peer_support::{Places, Work};
use std::rc::Rc;
use tokio_uring::fs::File;

const TASKS: u64 = 32;
const BYTES: usize = 4096;

async fn reads(file: Rc<File>, mut places: Places, times: u64) {
    let mut buffer = vec![0; BYTES];
    for _ in 0..times {
        let (result, back) = file.read_at(buffer, places.next_offset()).await;
        assert_eq!(result.expect("a block"), BYTES);
        buffer = back;
    }
}

pub fn file_reads(work: &Work) {
    let path = work.text("file").to_owned();
    run_for(work, async move |items| {
        let plain = std::fs::File::open(&path).expect("the file");
        let places = |seed| Places::of(&plain, BYTES as u64, seed);
        let file = Rc::new(File::open(&path).await.expect("the file"));
        let mut handles = Vec::new();
        for seed in 0..TASKS {
            handles.push(tokio_uring::spawn(reads(file.clone(), places(seed), items / TASKS)));
        }
        for handle in handles {
            handle.await.expect("no panic");
        }
    });
}
