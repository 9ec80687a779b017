//! Slab and bump region against plain models that foretell every answer.

use std::alloc::Layout;
use std::ptr::NonNull;
use unboxed::storage::{BodyAlloc, Bump, Slab};
use unboxed_tests::{Rng, for_seeds};

/// A piece that was taken, with a mark in each byte.
struct Piece {
    data: NonNull<u8>,
    layout: Layout,
    mark: u8,
}

impl Piece {
    fn new(data: NonNull<u8>, layout: Layout, mark: u8) -> Self {
        assert_eq!(data.addr().get() % layout.align(), 0, "aligned");
        // SAFETY: it was just given, for this layout.
        unsafe { data.write_bytes(mark, layout.size()) };
        Self { data, layout, mark }
    }

    fn give(self, alloc: impl BodyAlloc) {
        // SAFETY: ours until it is given back.
        let bytes = unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.layout.size()) };
        assert!(bytes.iter().all(|byte| *byte == self.mark), "somebody else wrote there");
        // SAFETY: taken from a copy of this allocator, and given back once.
        unsafe { alloc.give(self.data, self.layout) };
    }
}

fn random_layout(rng: &mut Rng, size_max: u64) -> Layout {
    Layout::from_size_align(1 + rng.below(size_max) as usize, 1 << rng.below(8)).unwrap()
}

#[test]
fn a_slab_agrees_with_a_stack_of_free_numbers() {
    const SIZE: usize = 100;
    const ROOM: usize = 128;
    const COUNT: usize = 10;
    static SLAB: Slab<SIZE, COUNT> = Slab::new();
    let first = (&SLAB).take(Layout::new::<u64>()).expect("an empty slab");
    // SAFETY: just taken.
    unsafe { (&SLAB).give(first, Layout::new::<u64>()) };
    let base = first.addr().get();

    // The model outlives the seeds, as the slab does: the number given back last is taken first.
    let mut free: Vec<usize> = (0..COUNT).rev().collect();
    for_seeds(100, |seed| {
        let mut rng = Rng::new(seed);
        let mut live: Vec<Piece> = Vec::new();
        for step in 0..400 {
            if rng.below(2) == 0 {
                let layout = random_layout(&mut rng, 160);
                let fits = layout.size() <= ROOM && layout.align() <= 64;
                let expected = if fits { free.pop() } else { None };
                let taken = (&SLAB).take(layout);
                assert_eq!(taken.map(|data| (data.addr().get() - base) / ROOM), expected);
                live.extend(taken.map(|data| Piece::new(data, layout, step as u8)));
            } else if !live.is_empty() {
                let piece = live.swap_remove(rng.below(live.len() as u64) as usize);
                free.push((piece.data.addr().get() - base) / ROOM);
                piece.give(&SLAB);
            }
            assert_eq!((&SLAB).left(), Some(if free.is_empty() { 0 } else { ROOM }));
        }
        for piece in live {
            free.push((piece.data.addr().get() - base) / ROOM);
            piece.give(&SLAB);
        }
        assert_eq!(free.len(), COUNT);
    });
}

#[test]
fn a_bump_region_agrees_with_a_top_that_sinks_with_the_last_piece() {
    const BYTES: usize = 2048;
    static BUMP: Bump<BYTES> = Bump::new();
    let first = (&BUMP).take(Layout::new::<u64>()).expect("an empty region");
    // SAFETY: just taken.
    unsafe { (&BUMP).give(first, Layout::new::<u64>()) };
    let base = first.addr().get();

    for_seeds(100, |seed| {
        let mut rng = Rng::new(seed);
        let mut live: Vec<Piece> = Vec::new();
        let mut top = 0;
        for step in 0..400 {
            if rng.below(2) == 0 {
                let layout = random_layout(&mut rng, 200);
                let start = (base + top).next_multiple_of(layout.align()) - base;
                let expected = Some(start).filter(|start| start + layout.size() <= BYTES);
                let taken = (&BUMP).take(layout);
                assert_eq!(taken.map(|data| data.addr().get() - base), expected);
                if let Some(data) = taken {
                    top = start + layout.size();
                    live.push(Piece::new(data, layout, step as u8));
                }
            } else if !live.is_empty() {
                // Mostly the last one, as that is what the rule is about.
                let last = live.len() - 1;
                let at = if rng.below(3) > 0 { last } else { rng.below(last as u64 + 1) as usize };
                let piece = live.remove(at);
                let start = piece.data.addr().get() - base;
                if live.is_empty() {
                    top = 0;
                } else if start + piece.layout.size() == top {
                    top = start;
                }
                piece.give(&BUMP);
            }
            assert_eq!((&BUMP).left(), Some(BYTES - top));
        }
        live.into_iter().for_each(|piece| piece.give(&BUMP));
        assert_eq!((&BUMP).left(), Some(BYTES), "all given back: it begins anew");
    });
}
