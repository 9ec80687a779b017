//! What the models share: how far they explore, and a word whose plain accesses loom watches.
//!
//! Each model lies beside its algorithm. Tests named after a bug seed it and must panic.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use loom::cell::UnsafeCell;
use loom::model::Builder;

/// Explores every interleaving with at most three preemptions, or `LOOM_MAX_PREEMPTIONS`.
pub(crate) fn explore(model: impl Fn() + Sync + Send + 'static) {
    explore_within(usize::MAX, model);
}

/// The same with at most so many preemptions, for models of which more take too long.
pub(crate) fn explore_within(bound: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(3).min(bound));
    builder.check(model);
}

/// A plain word: two accesses of which one writes, without an order between them, fail the model.
pub(crate) struct Plain(UnsafeCell<u32>);

// SAFETY: loom ends the model at the first unordered access.
unsafe impl Sync for Plain {}
// SAFETY: as above.
unsafe impl Send for Plain {}

impl Plain {
    pub fn new(value: u32) -> Self {
        Self(UnsafeCell::new(value))
    }

    pub fn get(&self) -> u32 {
        // SAFETY: watched by loom.
        self.0.with(|value| unsafe { *value })
    }

    pub fn set(&self, value: u32) {
        // SAFETY: watched by loom.
        self.0.with_mut(|place| unsafe { *place = value });
    }
}

/// A waker that does something when it is woken.
pub(crate) fn when_woken(run: impl Fn() + Send + Sync + 'static) -> Waker {
    struct When<F>(F);
    impl<F: Fn() + Send + Sync> std::task::Wake for When<F> {
        fn wake(self: std::sync::Arc<Self>) {
            (self.0)();
        }
    }
    Waker::from(std::sync::Arc::new(When(run)))
}

/// One poll, with a waker that tells nobody.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
