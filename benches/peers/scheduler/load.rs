//! An open load: requests come when they come, whether the earlier ones are done or not. One handler in twenty,
//! chosen by a seed, spins for a millisecond; the others for five microseconds. Two workers are to be used at 40 %.
//!
//! A latency counts from the moment at which the request was meant to start, so a late generator hides nothing.

use super::{ours, svg, theirs};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Requests at once, at most.
pub const IN_FLIGHT: usize = 4096;
const WORKERS: u32 = 2;
const UTILISATION: f64 = 0.4;
const SHORT: Duration = Duration::from_micros(5);
const LONG: Duration = Duration::from_millis(1);
const LONG_ONES: f64 = 0.05;
const ROUNDS: usize = 5;
const REQUESTS: usize = 30_000;
const SEED: u64 = 0x5eed_0f10_ad40;

static LATENCIES_NS: [AtomicU32; REQUESTS] = [const { AtomicU32::new(0) }; REQUESTS];
static DONE: AtomicUsize = AtomicUsize::new(0);

/// One request, and what it does.
pub struct Request {
    number: usize,
    intended: Instant,
    spin: Duration,
}

impl Request {
    pub fn serve(self) {
        let until = Instant::now() + self.spin;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        let latency = u32::try_from(self.intended.elapsed().as_nanos()).unwrap_or(u32::MAX);
        LATENCIES_NS[self.number].store(latency, Ordering::Relaxed);
        DONE.fetch_add(1, Ordering::Release);
    }
}

/// G. Marsaglia, "Xorshift RNGs", 2003; from 0 to 1, and never 0.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

/// Sends the round's requests at their moments, and answers all latencies. Who cannot take one has lost it for
/// as long as a latency can be.
fn round(seed: u64, latencies: &mut Vec<u32>, offer: impl Fn(Request) -> bool) {
    let mean = LONG.as_secs_f64() * LONG_ONES + SHORT.as_secs_f64() * (1.0 - LONG_ONES);
    let gap = mean / (UTILISATION * f64::from(WORKERS));
    let mut random = Random(seed);
    DONE.store(0, Ordering::Relaxed);
    let mut refused = 0;
    let mut intended = Instant::now() + Duration::from_millis(5);
    for (number, latency) in LATENCIES_NS.iter().enumerate() {
        intended += Duration::from_secs_f64(-random.next().ln() * gap);
        let spin = if random.next() <= LONG_ONES { LONG } else { SHORT };
        let left = intended.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            thread::sleep(left);
        }
        if !offer(Request { number, intended, spin }) {
            refused += 1;
            latency.store(u32::MAX, Ordering::Relaxed);
        }
    }
    while DONE.load(Ordering::Acquire) + refused < REQUESTS {
        thread::sleep(Duration::from_millis(1));
    }
    latencies.extend(LATENCIES_NS.iter().map(|latency| latency.load(Ordering::Relaxed)));
}

/// A sleep of this thread ends when it is meant to, not fifty microseconds later.
fn sleep_exactly() {
    // SAFETY: takes numbers only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

/// Rounds in turns, on two of our runtimes and on tokio: a table, and a drawing in the file of the variable LOAD_SVG.
pub fn run(ours: &[ours::Host], theirs: &theirs::Host) {
    sleep_exactly();
    let names: Vec<_> = ours.iter().map(|host| host.name).chain(["tokio"]).collect();
    let mut all = vec![Vec::new(); names.len()];
    for seed in (1..=ROUNDS as u64).map(|round| SEED * round) {
        for (host, latencies) in ours.iter().zip(&mut all) {
            round(seed, latencies, |one| ours::offer(host, one));
        }
        let last = all.last_mut().expect("tokio's");
        round(seed, last, |one| {
            theirs::offer(theirs, one);
            true
        });
    }
    all.iter_mut().for_each(|latencies| latencies.sort_unstable());
    println!("us, of {} requests each, in {ROUNDS} rounds in turns\n", all[0].len());
    println!("| two workers at 40 % | p50 | p90 | p99 | p99.9 | most |");
    println!("|---|---|---|---|---|---|");
    for (name, latencies) in names.iter().zip(&all) {
        let [p50, p90, p99, p999, most] = [0.5, 0.9, 0.99, 0.999, 1.0].map(|part| at(latencies, part));
        println!("| {name} | {p50:.0} | {p90:.0} | {p99:.0} | {p999:.0} | {most:.0} |");
    }
    if let Ok(file) = std::env::var("LOAD_SVG") {
        let curves: Vec<_> =
            names.iter().zip(&all).map(|(name, latencies)| (*name, curve(latencies))).collect();
        std::fs::write(&file, svg::draw(&curves)).expect("the drawing's file");
    }
}

/// The latency that so large a part does not exceed, in microseconds.
fn at(sorted: &[u32], part: f64) -> f64 {
    let index = (sorted.len() as f64 * part).ceil() as usize;
    f64::from(sorted[index.clamp(1, sorted.len()) - 1]) / 1000.0
}

/// Nines and latencies: at 1 the ninetieth part of a hundred, at 2 the ninety-ninth, and so on.
fn curve(sorted: &[u32]) -> Vec<(f64, f64)> {
    (0..=160)
        .map(|step| f64::from(step) / 40.0)
        .map(|nines| (nines, at(sorted, 1.0 - 10f64.powf(-nines))))
        .collect()
}
