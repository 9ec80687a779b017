//! Random reads of a file, 32 in flight.

use crate::ring;
use io_uring::{IoUring, opcode, types::Fd};
use peer_support::{Measured, Places, Work};
use std::fs::File;
use std::os::fd::AsRawFd;

const IN_FLIGHT: usize = 32;
const BYTES: usize = 4096;

struct Reads {
    ring: IoUring,
    file: Fd,
    buffers: Vec<[u8; BYTES]>,
    places: Places,
}

impl Reads {
    fn push(&mut self, buffer: usize) {
        let data = self.buffers[buffer].as_mut_ptr();
        let read = opcode::Read::new(self.file, data, BYTES as u32).offset(self.places.next_offset());
        // SAFETY: the buffer lives as long as the ring, and has one read at a time.
        unsafe { self.ring.submission().push(&read.build().user_data(buffer as u64)) }.expect("room");
    }

    fn run(&mut self, items: u64) {
        let (mut begun, mut done) = (IN_FLIGHT as u64, 0);
        let mut batch = Vec::with_capacity(IN_FLIGHT);
        (0..IN_FLIGHT).for_each(|buffer| self.push(buffer));
        while done < items {
            self.ring.submit_and_wait(1).expect("enter");
            batch.extend(self.ring.completion());
            for completion in batch.drain(..) {
                assert_eq!(completion.result(), BYTES as i32);
                done += 1;
                if begun < items {
                    begun += 1;
                    self.push(completion.user_data() as usize);
                }
            }
        }
    }
}

pub fn file_reads(work: &Work) {
    let file = File::open(work.text("file")).expect("the file");
    let places = Places::of(&file, BYTES as u64, 0);
    let buffers = vec![[0; BYTES]; IN_FLIGHT];
    let mut reads = Reads { ring: ring(), file: Fd(file.as_raw_fd()), buffers, places };
    reads.run(work.items() / 10);
    let begun = Measured::begin();
    reads.run(work.items());
    begun.end(&work.name, work.items());
}
