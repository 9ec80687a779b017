//! Work in slices.

use crate::exec::current;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Goes to the back of the task's lane if its time is over, and does nothing otherwise: for long work that is done piece
/// by piece, with this in between.
///
/// The time is over when a task of a higher [lane](super::Lane) is ready here, when completions or messages wait that a
/// turn of the worker would bring, when a timer is due, or when the task's slice has passed since it first asked in
/// this turn. (A slice is 100 us if nobody says another: `Config::slice`,
/// [`Executor::set_slice`](crate::exec::Executor::set_slice).) The worker looks at its loop before the next start.
/// Outside of a runtime it is never over.
///
/// What it costs: a read of the clock when nothing else says that the time is over, so pieces of less than a
/// microsecond are better done some at a time.
///
/// Cancel safe: it holds nothing.
///
/// ```
/// # use unboxed_core as unboxed;
/// # use std::{cell::Cell, ptr::null};
/// # use unboxed::{event_loop::scripted::ScriptedLoop, exec::{Executor, Worker, WorkerStorage}};
/// # std::thread_local! { static CURRENT: Cell<*const Worker> = const { Cell::new(null()) } }
/// # unboxed::current_worker_cell!(unsafe CURRENT.with(|cell| core::ptr::from_ref(cell)));
/// # static LOOP: ScriptedLoop<4> = ScriptedLoop::new();
/// # static STORAGE: WorkerStorage = WorkerStorage::new();
/// # let mut executor = Executor::start(&STORAGE, &LOOP, 0).unwrap();
/// use unboxed::task::yield_if_due;
///
/// async fn sum(numbers: &[u64]) -> u64 {
///     let mut sum = 0;
///     for piece in numbers.chunks(4096) {
///         sum += piece.iter().sum::<u64>();
///         yield_if_due().await;
///     }
///     sum
/// }
/// assert_eq!(executor.block_on(sum(&[1; 10_000])), 10_000);
/// ```
pub fn yield_if_due() -> YieldIfDue {
    YieldIfDue { yielded: false }
}

/// See [`yield_if_due`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldIfDue {
    yielded: bool,
}

impl Future for YieldIfDue {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded || !current::get().is_some_and(|worker| worker.slice_is_over()) {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
