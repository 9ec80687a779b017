//! Operations that do nothing, in batches.

use crate::ring;
use io_uring::{IoUring, opcode};
use peer_support::{Measured, Work};

fn nops(ring: &mut IoUring, items: u64, batch: usize) {
    let mut done = 0;
    while done < items {
        for _ in 0..batch {
            // SAFETY: a no-op names no memory.
            unsafe { ring.submission().push(&opcode::Nop::new().build()) }.expect("room");
        }
        ring.submit_and_wait(batch).expect("enter");
        done += ring.completion().count() as u64;
    }
}

pub fn at_once(work: &Work, batch: usize) {
    let mut ring = ring();
    nops(&mut ring, work.items() / 10, batch);
    let begun = Measured::begin();
    nops(&mut ring, work.items(), batch);
    begun.end(&work.name, work.items());
}
