//! A plain future as an operation, so that `timeout` and `select` take it.

use crate::op::Operation;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// A plain future as an operation, whose cancel drops it: for those that lose nothing by that, as what waits for a lock.
///
/// The output is `None` when it was cancelled.
///
/// # Cancel safety
/// That of the future.
///
/// ```
/// # use unboxed_core as unboxed;
/// # thread_local!(static CURRENT: core::cell::Cell<*const unboxed::exec::Worker> = const { core::cell::Cell::new(core::ptr::null()) });
/// # unboxed::current_worker_cell!(unsafe CURRENT.with(core::ptr::from_ref));
/// use std::time::Duration;
/// use unboxed::combine::plain;
/// use unboxed::sync::Mutex;
/// use unboxed::time::{Elapsed, timeout};
///
/// static TOTAL: Mutex<u64> = Mutex::new(0);
///
/// async fn add_in_time(amount: u64) -> Result<(), Elapsed> {
///     let total = timeout(Duration::from_millis(5), plain(TOTAL.lock())).await?;
///     *total.expect("not cancelled, or it were Elapsed") += amount;
///     Ok(())
/// }
/// # let _ = add_in_time(1);
/// ```
pub fn plain<F: Future>(future: F) -> Plain<F> {
    Plain { future: Some(future) }
}

/// See [`plain`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Plain<F> {
    future: Option<F>,
}

impl<F> Plain<F> {
    fn future(self: Pin<&mut Self>) -> Pin<&mut Option<F>> {
        // SAFETY: BRANCH-1: pinned structurally, and there is no drop of our own.
        unsafe { self.map_unchecked_mut(|plain| &mut plain.future) }
    }
}

impl<F: Future> Future for Plain<F> {
    type Output = Option<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut place = self.future();
        let Some(future) = place.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let output = future.poll(cx);
        if output.is_ready() {
            place.set(None);
        }
        output.map(Some)
    }
}

impl<F: Future> Operation for Plain<F> {
    fn request_cancel(self: Pin<&mut Self>, _: &mut Context<'_>) {
        self.future().set(None);
    }

    fn was_cancelled(output: &Self::Output) -> bool {
        output.is_none()
    }
}
