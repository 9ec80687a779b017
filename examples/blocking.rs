//! A file is hashed on a thread that may block, while a timer ticks on the runtime's thread.

use std::fs::File;
use std::io::Read;
use std::time::Duration;
use unboxed::blocking::BlockingPool;
use unboxed::time::{MissedTicks, interval};
use unboxed_examples::Args;

const USAGE: &str = "\
Hashes files on two threads, while a timer ticks.

usage: blocking [--rounds N]

  --rounds N   how often this program hashes itself (default 20)
  --help       prints this";

/// Two threads, eight jobs at a time, in static memory: 64 bytes hold a closure, or what it returns.
static POOL: BlockingPool<2, 8, 64> = BlockingPool::new();

/// FNV-1a (G. Fowler, L. C. Noll, P. Vo) of a file's bytes. Plain, blocking code.
fn hash_of_this_program() -> std::io::Result<u64> {
    let mut file = File::open("/proc/self/exe")?;
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut bytes = [0; 16 * 1024];
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(hash),
            len => {
                for byte in &bytes[..len] {
                    hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
                }
            }
        }
    }
}

/// Ticks until it is aborted.
#[unboxed::task(ops = 1)]
async fn ticks(count: &'static std::sync::atomic::AtomicU32) {
    let mut ticks = interval(Duration::from_millis(1), MissedTicks::Skip);
    while ticks.tick().await.is_ok() {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[unboxed::main]
async fn main() {
    static TICKS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let mut args = Args::parse(USAGE);
    let rounds = args.value("--rounds", 20u32);
    args.finish();

    let ticker = ticks::spawn(&TICKS).expect("a block");
    let mut hashes = 0;
    for _ in 0..rounds {
        // Both at once: each is queued when it is submitted, and awaited afterwards.
        let one = POOL.submit(hash_of_this_program).expect("a free place");
        let other = POOL.submit(hash_of_this_program).expect("a free place");
        let one = one.await.expect("no panic").expect("readable");
        let other = other.await.expect("no panic").expect("readable");
        hashes += u32::from(one == other);
    }
    ticker.abort();
    println!("{hashes} pairs of equal hashes");
    println!("the timer ticked meanwhile: {}", TICKS.load(std::sync::atomic::Ordering::Relaxed) > 0);
    println!("the pool: {} bytes", size_of_val(&POOL));
    let stuck = POOL.close(Duration::from_secs(1)).stuck;
    println!("closed, {stuck} threads stuck");
}
