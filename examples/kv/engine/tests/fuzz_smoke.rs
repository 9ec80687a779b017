//! The fuzzer's body over random bytes, for two seconds or `FUZZ_SECONDS`. A failure is replayed with `SEED`.

#[path = "../../../../fuzz/kv_body.rs"]
mod kv_body;
mod support;

use std::time::{Duration, Instant};
use support::{Rng, commands, request, with_seed};

/// What requests are made of, from the fuzzer's dictionary.
fn fragments() -> Vec<Vec<u8>> {
    let dictionary = include_str!("../../../../fuzz/kv.dict");
    dictionary.lines().map(|line| unescape(&line[1..line.len() - 1])).collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let used = match (byte, after) {
            (b'\\', [b'x', ..]) => {
                let hex = std::str::from_utf8(&after[1..3]).unwrap();
                bytes.push(u8::from_str_radix(hex, 16).unwrap());
                4
            }
            (b'\\', [escaped, ..]) => {
                bytes.push(*escaped);
                2
            }
            _ => {
                bytes.push(*byte);
                1
            }
        };
        rest = &rest[used..];
    }
    bytes
}

/// Whole requests, fragments of some and noise.
fn stream(rng: &mut Rng, fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + rng.below(12) {
        match rng.below(4) {
            0 => {
                let len = rng.below(20);
                bytes.extend(rng.bytes(len));
            }
            1 => bytes.extend(request(&commands::command(rng)).into_iter().take(4000)),
            _ => (0..1 + rng.below(6)).for_each(|_| bytes.extend(&fragments[rng.below(fragments.len())])),
        }
    }
    if rng.one_in(3) {
        (0..1 + rng.below(4)).for_each(|_| {
            let at = rng.below(bytes.len() + 1);
            bytes.insert(at, rng.draw() as u8);
        });
    }
    bytes
}

/// The fuzzer's input for it: in pieces, with what is to be done with each.
fn input(rng: &mut Rng, fragments: &[Vec<u8>]) -> Vec<u8> {
    let bytes = stream(rng, fragments);
    let mode = rng.draw() as u8;
    if mode % 2 == 1 {
        return [&[mode], &bytes[..]].concat();
    }
    let mut data = vec![mode];
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let longest = if rng.one_in(3) { 20 } else { 255 };
        let (piece, after) = rest.split_at(rest.len().min(1 + rng.below(longest)));
        // Mostly what feeds.
        let what = if rng.one_in(4) { rng.draw() as u8 } else { 8 + rng.below(8) as u8 };
        data.extend([what, piece.len() as u8]);
        data.extend(piece);
        rest = after;
    }
    data
}

#[test]
fn fuzz_smoke() {
    let budget = Duration::from_secs(support::given("FUZZ_SECONDS").unwrap_or(2));
    let (fragments, began, mut runs) = (fragments(), Instant::now(), 0_u64);
    for seed in support::given("SEED").map_or(1..=u64::MAX, |seed| seed..=seed) {
        if runs > 0 && began.elapsed() >= budget {
            break;
        }
        with_seed(seed, |seed| kv_body::run(&input(&mut Rng::new(seed), &fragments)));
        runs += 1;
    }
    println!("{runs} inputs");
}
