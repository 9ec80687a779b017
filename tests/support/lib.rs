//! Shared pieces of the integration tests: a scripted loop, a worker and a pool for each test.

pub mod chaos;
pub mod held;
pub mod waits;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use unboxed::event_loop::scripted::ScriptedLoop;
use unboxed::exec::{Budget, Executor};
use unboxed::op::{Nop, nop};
use unboxed::yield_now;

/// What a test's task runs.
pub type Body = Pin<Box<dyn Future<Output = u64> + Send>>;

/// The loop of a test.
pub type Script = ScriptedLoop<1024>;

/// A body from a future.
pub fn body(future: impl Future<Output = u64> + Send + 'static) -> Body {
    Box::pin(future)
}

/// Declares a loop, a running worker and a pool of tasks for one test: `lab!(ex, script, run, pool = 4, ops = 2)`.
#[macro_export]
macro_rules! lab {
    ($ex:ident, $script:ident, $run:ident, pool = $pool:literal, ops = $ops:literal) => {
        $crate::lab!($ex, $script, $run, pool = $pool, ops = $ops, spares = 0)
    };
    ($ex:ident, $script:ident, $run:ident, pool = $pool:literal, ops = $ops:literal, spares = $spares:literal) => {
        #[unboxed::task(pool = $pool, ops = $ops)]
        async fn $run(body: $crate::Body) -> u64 {
            body.await
        }
        static SCRIPT: $crate::Script = $crate::Script::new();
        static WORKER: unboxed::exec::WorkerStorage<8, 8> = unboxed::exec::WorkerStorage::new();
        #[allow(unused_variables)]
        let $script = &SCRIPT;
        #[allow(unused_mut)]
        let mut $ex = unboxed::exec::Executor::start(&WORKER, &SCRIPT, $spares).unwrap();
    };
}

/// One turn without sleep; true when a task's panic came out of it.
pub fn turn(ex: &mut Executor) -> bool {
    catch_unwind(AssertUnwindSafe(|| ex.turn(Budget::POLL))).is_err()
}

/// Turns until everything that can happen without the script has happened; how many panics came out.
pub fn settle(ex: &mut Executor) -> usize {
    let mut panics = 0;
    let mut quiet = 0;
    for _ in 0..10_000 {
        match catch_unwind(AssertUnwindSafe(|| ex.turn(Budget::POLL))) {
            Err(_) => panics += 1,
            Ok(turned) if turned.polls == 0 && turned.completions == 0 && !turned.more => {
                quiet += 1;
                if quiet == 3 {
                    return panics;
                }
                continue;
            }
            Ok(_) => {}
        }
        quiet = 0;
    }
    panic!("the worker does not come to rest");
}

/// Completes everything that waits, until nothing comes any more.
pub fn drain(ex: &mut Executor, script: &Script) {
    settle(ex);
    while let Some(op) = script.pending(0) {
        script.complete(op.token, 0);
        settle(ex);
    }
}

/// Polls once, whatever comes.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Polls once, and says whether that gave the output, which is dropped.
pub async fn ready_at_once<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_once(&mut future).await.is_ready()
}

/// A way through the loop: the run queue is polled to its end before the loop turns, so yield often.
pub async fn pass_a_turn() {
    for _ in 0..600 {
        yield_now().await
    }
}

/// Something that one task leaves for another.
pub type Shared<T> = Arc<Mutex<Option<T>>>;

/// A task that begins a no-op, leaves it in `shared`, and then does `then`.
pub fn begins(shared: &Shared<Nop>, then: impl Future<Output = u64> + Send + 'static) -> Body {
    let shared = shared.clone();
    body(async move {
        let mut op = nop();
        assert!(poll_once(&mut op).await.is_pending());
        *shared.lock().unwrap() = Some(op);
        then.await
    })
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
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.draw() >> 16) % bound
    }
}

/// Runs a property for some seeds, or for `SEED` alone, and names the seed of a failure.
pub fn for_seeds(count: u64, mut property: impl FnMut(u64)) {
    let only = std::env::var("SEED").ok().and_then(|s| s.parse().ok());
    let seeds = only.map_or(1..=count, |seed: u64| seed..=seed);
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| property(seed))) {
            eprintln!("failed with SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Counts its drops.
#[derive(Debug, Clone, Default)]
pub struct Drops(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Drops {
    /// So many so far.
    pub fn count(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// A value that counts when it is dropped.
    pub fn value(&self) -> Dropped {
        Dropped(self.clone())
    }
}

/// See [`Drops::value`].
#[derive(Debug)]
pub struct Dropped(Drops);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

/// From here on a task may panic with `"misbehaved"`, and nothing is printed of it.
pub fn expect_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&"misbehaved") {
                hook(info);
            }
        }));
    });
}
