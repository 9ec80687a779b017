//! Random reads of a file: 32 tasks that share it.

use crate::run_for;
use glommio::io::BufferedFile;
use peer_support::{Places, Work};
use std::rc::Rc;

const TASKS: u64 = 32;
const BYTES: usize = 4096;

async fn reads(file: Rc<BufferedFile>, mut places: Places, times: u64) {
    for _ in 0..times {
        let result = file.read_at(places.next_offset(), BYTES).await.expect("a block");
        assert_eq!(result.len(), BYTES);
    }
}

pub fn file_reads(work: &Work) {
    let path = work.text("file").to_owned();
    run_for(work, async move |items| {
        let plain = std::fs::File::open(&path).expect("the file");
        let places = |seed| Places::of(&plain, BYTES as u64, seed);
        let file = Rc::new(BufferedFile::open(&path).await.expect("the file"));
        let mut handles = Vec::new();
        for seed in 0..TASKS {
            handles.push(glommio::spawn_local(reads(file.clone(), places(seed), items / TASKS)));
        }
        for handle in handles {
            handle.await;
        }
    });
}
