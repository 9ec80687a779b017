//! Tail restart: a future that begins again in its own place.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// What a round ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail<A, T> {
    /// Another round, with these arguments.
    Again(A),
    /// The end.
    Done(T),
}

/// Runs `round` until it says that it is done. Each round's future lies where the one before lay, which is
/// dropped first, so the depth costs nothing.
///
/// ```
/// # use unboxed_core as unboxed;
/// use unboxed::recursion::{Tail, tail};
///
/// async fn sum_to(n: u64) -> u64 {
///     tail((n, 0), async |(n, sum)| if n == 0 { Tail::Done(sum) } else { Tail::Again((n - 1, sum + n)) }).await
/// }
/// # let mut future = core::pin::pin!(sum_to(1_000_000));
/// # let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
/// # while future.as_mut().poll(&mut cx).is_pending() {}
/// ```
///
/// Rounds that never wait are run 128 at a time; then the task yields, so that it does not hold its worker.
///
/// # Cancel safety
/// That of the round's future.
pub fn tail<A, T, R, Fut>(args: A, round: R) -> TailRec<R, Fut>
where
    R: FnMut(A) -> Fut,
    Fut: Future<Output = Tail<A, T>>,
{
    let mut round = round;
    let future = round(args);
    TailRec { round, future }
}

/// See [`tail`](fn@tail).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct TailRec<R, Fut> {
    round: R,
    future: Fut,
}

const ROUNDS_A_POLL: u32 = 128;

impl<A, T, R, Fut> Future for TailRec<R, Fut>
where
    R: FnMut(A) -> Fut,
    Fut: Future<Output = Tail<A, T>>,
{
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // SAFETY: PIN-1: `future` is pinned structurally, `round` never; there is no drop of our own, and the
        // type is `Unpin` only if both are.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: PIN-1.
        let mut future = unsafe { Pin::new_unchecked(&mut this.future) };
        for _ in 0..ROUNDS_A_POLL {
            match future.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Tail::Done(output)) => return Poll::Ready(output),
                Poll::Ready(Tail::Again(args)) => future.set((this.round)(args)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
