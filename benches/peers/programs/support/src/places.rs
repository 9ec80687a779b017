//! Where in a file to read next.

use std::fs::File;

/// Offsets of whole blocks, at random; the same ones for all who begin with the same seed.
#[derive(Debug, Clone)]
pub struct Places {
    blocks: u64,
    bytes: u64,
    state: u64,
}

impl Places {
    pub fn of(file: &File, bytes: u64, seed: u64) -> Self {
        let blocks = file.metadata().expect("a file").len() / bytes;
        assert!(blocks > 0, "the file has a block at least");
        Self { blocks, bytes, state: seed.wrapping_mul(2) + 1 }
    }

    pub fn next_offset(&mut self) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % self.blocks * self.bytes
    }
}
