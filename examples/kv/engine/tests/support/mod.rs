//! Shared pieces of the engine's tests: a connection without a socket, and a small generator.
#![allow(dead_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use unboxed_kv::{Db, Session, Step};

pub mod commands;
pub mod model;
pub mod naive;

/// A connection: what it has yet to take, and all that it has answered.
pub struct Conn {
    session: Session,
    capacity: usize,
    input: Vec<u8>,
    out: Vec<u8>,
    /// Bytes that were sent and did not fit into the read buffer yet.
    waiting: std::collections::VecDeque<u8>,
    pub got: Vec<u8>,
    pub closed: bool,
}

impl Conn {
    /// With a read and a write buffer of so many bytes.
    pub fn new(id: u64, capacity: usize, out: usize) -> Self {
        Self {
            session: Session::new(id, capacity),
            capacity,
            input: Vec::new(),
            out: vec![0; out],
            waiting: Default::default(),
            got: Vec::new(),
            closed: false,
        }
    }

    /// Puts bytes behind what waits.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend(bytes);
    }

    /// One read, as large as the buffer takes, and one call of the engine; whether there is more to do.
    pub fn step(&mut self, db: &mut Db<'_>, now: u64) -> bool {
        if self.closed {
            return false;
        }
        let count = self.waiting.len().min(self.capacity - self.input.len());
        self.input.extend(self.waiting.drain(..count));
        let done = self.session.advance(db, now, &self.input, &mut self.out);
        self.got.extend_from_slice(&self.out[..done.produced]);
        self.input.drain(..done.consumed);
        self.closed = done.step == Step::Close;
        assert!(
            done.step != Step::NeedInput || self.input.len() < self.capacity,
            "it wants more, and the buffer is full"
        );
        match done.step {
            Step::NeedInput => !self.waiting.is_empty(),
            Step::OutputFull => true,
            Step::Close => false,
        }
    }

    /// Everything that can be done.
    pub fn settle(&mut self, db: &mut Db<'_>, now: u64) {
        let mut steps = 0;
        while self.step(db, now) {
            steps += 1;
            assert!(steps < 1_000_000, "it does not come to rest");
        }
    }

    /// Sends bytes, and gives the answer to them.
    pub fn ask(&mut self, db: &mut Db<'_>, now: u64, bytes: &[u8]) -> Vec<u8> {
        self.push(bytes);
        self.settle(db, now);
        std::mem::take(&mut self.got)
    }

    /// Gives the session's cells back.
    pub fn end(self, db: &mut Db<'_>) {
        self.session.end(db);
    }
}

/// A request as an array.
pub fn request(args: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    args.iter().for_each(|arg| bytes.extend(bulk(arg.as_ref())));
    bytes
}

/// A bulk string.
pub fn bulk(text: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
}

/// Asserts that two byte strings are the same, and shows where they part.
#[track_caller]
pub fn assert_same(got: &[u8], wanted: &[u8], what: &str) {
    if got == wanted {
        return;
    }
    let at = got.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    let shown = |bytes: &[u8]| {
        let part = &bytes[at.saturating_sub(60)..(at + 60).min(bytes.len())];
        format!("{} bytes, …{}…", bytes.len(), part.escape_ascii())
    };
    panic!("{what}: at {at}\n    got {}\n wanted {}", shown(got), shown(wanted));
}

/// A small generator for random tests; seeded, so that a failure can be replayed with `SEED`.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.draw() >> 16) as usize % bound
    }

    /// Once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of some.
    pub fn of<'a, T: ?Sized>(&mut self, some: &[&'a T]) -> &'a T {
        some[self.below(some.len())]
    }

    /// Some bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.draw() >> 32) as u8).collect()
    }
}

/// A number from the environment.
pub fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// Runs a property for some seeds (or for `SEEDS`, or for `SEED` alone), and names the seed of a failure.
pub fn for_seeds(count: u64, mut property: impl FnMut(u64)) {
    let seeds = given("SEED").map_or(1..=given("SEEDS").unwrap_or(count), |seed| seed..=seed);
    seeds.for_each(|seed| with_seed(seed, &mut property));
}

/// Runs a property for a seed, and names it if it fails.
pub fn with_seed(seed: u64, property: impl FnOnce(u64)) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| property(seed))) {
        eprintln!("failed with SEED={seed}");
        std::panic::resume_unwind(panic);
    }
}
