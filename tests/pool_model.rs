//! Reservations of a pool against a plain model: a count of free blocks, and a line of those who wait.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use unboxed::JoinHandle;
use unboxed::task::{Reservation, Reserve, ReserveError};
use unboxed_tests::{Rng, for_seeds, lab, settle};

const BLOCKS: usize = 3;

#[unboxed::task(pool = 3, ops = 0)]
async fn held(yields: u32) {
    for _ in 0..yields {
        unboxed::yield_now().await;
    }
}

/// Counts its wakes.
#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

type Block = Reservation<(u32,), ()>;

/// A future that has been polled and waits, or was handed a block since.
struct Waiter {
    id: u64,
    future: Pin<Box<Reserve<(u32,), ()>>>,
    wakes: Arc<Wakes>,
}

impl Waiter {
    fn poll(&mut self) -> Poll<Block> {
        let waker = Waker::from(self.wakes.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// What the pool should be: nothing but numbers.
#[derive(Default)]
struct Model {
    free: usize,
    line: VecDeque<u64>,
    handed: HashSet<u64>,
}

impl Model {
    fn claim(&mut self) -> bool {
        let got = self.free > 0;
        self.free -= usize::from(got);
        got
    }

    fn release(&mut self) {
        match self.line.pop_front() {
            Some(first) => assert!(self.handed.insert(first)),
            None => self.free += 1,
        }
    }

    fn leave(&mut self, id: u64) {
        if self.handed.remove(&id) {
            self.release();
        } else {
            self.line.retain(|waiting| *waiting != id);
        }
    }
}

/// The pool with everything that came out of it.
#[derive(Default)]
struct Real {
    blocks: Vec<Block>,
    tasks: Vec<JoinHandle<()>>,
    waiters: Vec<Waiter>,
}

impl Real {
    fn agree(&self, model: &Model) {
        assert_eq!(held::memory().used as usize, BLOCKS - model.free, "blocks in use");
        assert!(model.free == 0 || model.line.is_empty(), "nobody waits while a block is free");
        for waiter in &self.waiters {
            let woken = waiter.wakes.0.load(Ordering::SeqCst);
            assert_eq!(woken, u32::from(model.handed.contains(&waiter.id)), "woken once, when handed");
        }
        let different: HashSet<_> = self.blocks.iter().map(|block| format!("{block:?}")).collect();
        assert_eq!(different.len(), self.blocks.len(), "no block has two owners");
    }
}

#[test]
fn reservations_agree_with_a_line_and_a_count() {
    lab!(ex, _script, run, pool = 1, ops = 0);
    let _ = run::memory();
    for_seeds(200, |seed| {
        let mut rng = Rng::new(seed);
        let mut model = Model { free: BLOCKS, ..Model::default() };
        let mut real = Real::default();
        for id in 0..300 {
            step(&mut rng, id, &mut ex, &mut model, &mut real);
            real.agree(&model);
        }
        drop(real);
        settle(&mut ex);
        assert_eq!(held::memory().used, 0);
    });
}

fn step(rng: &mut Rng, id: u64, ex: &mut unboxed::exec::Executor, model: &mut Model, real: &mut Real) {
    let mut pick = |of: usize| (of > 0).then(|| rng.below(of as u64) as usize);
    match pick(8) {
        Some(0) => match held::try_reserve() {
            Ok(block) => {
                assert!(model.claim());
                real.blocks.push(block);
            }
            Err(error) => {
                assert!(!model.claim());
                assert!(matches!(error, ReserveError::PoolFull { blocks: 3, .. }), "{error}");
            }
        },
        Some(1 | 2) => {
            let mut waiter = Waiter { id, future: Box::pin(held::reserve()), wakes: Arc::default() };
            match waiter.poll() {
                Poll::Ready(block) => {
                    assert!(model.claim());
                    real.blocks.push(block);
                }
                Poll::Pending => {
                    assert!(!model.claim());
                    model.line.push_back(id);
                    real.waiters.push(waiter);
                }
            }
        }
        Some(3) => {
            let Some(at) = pick(real.waiters.len()) else { return };
            let handed = model.handed.remove(&real.waiters[at].id);
            match real.waiters[at].poll() {
                Poll::Ready(block) => {
                    assert!(handed, "it passed somebody");
                    real.blocks.push(block);
                    real.waiters.swap_remove(at);
                }
                Poll::Pending => assert!(!handed, "it was handed a block"),
            }
        }
        Some(4) => {
            let Some(at) = pick(real.waiters.len()) else { return };
            let waiter = real.waiters.swap_remove(at);
            model.leave(waiter.id);
        }
        Some(5) => {
            let Some(at) = pick(real.blocks.len()) else { return };
            drop(real.blocks.swap_remove(at));
            model.release();
        }
        Some(6) => {
            let Some(at) = pick(real.blocks.len()) else { return };
            let yields = pick(3).unwrap_or(0) as u32;
            let block = real.blocks.swap_remove(at);
            real.tasks.push(ex.enter(|| block.spawn((yields,))).expect("an open runtime"));
        }
        _ => {
            // Tasks end, and give their blocks back once their handles are gone, in this order.
            settle(ex);
            for task in real.tasks.drain(..) {
                assert!(task.is_finished());
                drop(task);
                model.release();
            }
        }
    }
}
