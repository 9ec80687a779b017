//! The first of some operations, while nothing of the others is lost (R5).

use super::branch::Branch;
use crate::op::Operation;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// What came of a `select`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected<O> {
    /// Which argument ended first, from 0.
    pub first: usize,
    /// All outputs. A loser was cancelled, and its output says so, or it ended before the cancel came.
    pub outputs: O,
}

macro_rules! select {
    ($(#[$meta:meta])* $select:ident, $Select:ident, $($F:ident $f:ident $at:literal),+) => {
        $(#[$meta])*
        pub fn $select<$($F: Operation),+>($($f: $F),+) -> $Select<$($F),+> {
            $Select { first: None, $($f: Branch::Pending($f)),+ }
        }

        #[doc = concat!("See [`", stringify!($select), "`].")]
        #[must_use = "futures do nothing unless awaited"]
        pub struct $Select<$($F: Operation),+> {
            first: Option<usize>,
            $($f: Branch<$F>),+
        }

        impl<$($F: Operation),+> core::fmt::Debug for $Select<$($F),+> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_tuple(stringify!($Select))$(.field(&self.$f))+.finish()
            }
        }

        impl<$($F: Operation),+> $Select<$($F),+> {
            #[allow(clippy::type_complexity)]
            fn parts(self: Pin<&mut Self>) -> (&mut Option<usize>, $(Pin<&mut Branch<$F>>),+) {
                // SAFETY: BRANCH-1: the branches are pinned structurally, and there is no drop of our own.
                let this = unsafe { self.get_unchecked_mut() };
                // SAFETY: as above.
                unsafe { (&mut this.first, $(Pin::new_unchecked(&mut this.$f)),+) }
            }
        }

        impl<$($F: Operation),+> Future for $Select<$($F),+> {
            type Output = Selected<($($F::Output),+)>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let (first, $(mut $f),+) = self.as_mut().parts();
                if first.is_none() {
                    $(
                        if $f.as_mut().poll(cx) {
                            first.get_or_insert($at);
                        }
                    )+
                }
                let Some(first) = *first else { return Poll::Pending };
                if $($f.as_mut().poll_cancelled(cx))&+ {
                    return Poll::Ready(Selected { first, outputs: ($($f.take()),+) });
                }
                Poll::Pending
            }
        }

        impl<$($F: Operation),+> Operation for $Select<$($F),+> {
            fn request_cancel(self: Pin<&mut Self>, cx: &mut Context<'_>) {
                let (_, $($f),+) = self.parts();
                $($f.request_cancel(cx);)+
            }

            /// Only when nothing came of any of them.
            fn was_cancelled(output: &Self::Output) -> bool {
                let ($($f),+) = &output.outputs;
                $($F::was_cancelled($f))&&+
            }
        }
    };
}

select! {
    /// Begins both operations, waits for the first to end, cancels the other, and awaits that too. Both
    /// outputs are given: a loser whose result came before its cancel has not lost it.
    ///
    /// Of two that are ready at once the first argument is `first`. When the operations must go on instead of
    /// being cancelled, keep them and poll them by reference.
    ///
    /// # Cancel safety
    /// That of each operation; as an operation it can be cancelled itself, and loses nothing.
    ///
    /// # Panics
    /// When polled again after its end.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// use unboxed::channel::{Channel, RecvError};
    /// use unboxed::combine::select2;
    ///
    /// let (orders, orders_from_abroad) = (Channel::<u32, 1>::new(), Channel::<u32, 1>::new());
    /// orders_from_abroad.try_send(7).unwrap();
    /// let mut next = std::pin::pin!(select2(orders.recv(), orders_from_abroad.recv()));
    /// # use std::future::Future;
    /// # let std::task::Poll::Ready(next) = next.as_mut().poll(&mut cx) else { panic!() };
    /// # /*
    /// let next = next.await;
    /// # */
    /// assert_eq!((next.first, next.outputs), (1, (Err(RecvError::Cancelled), Ok(7))));
    /// ```
    select2, Select2, A a 0, B b 1
}
select! {
    /// The first of three operations; see [`select2`].
    select3, Select3, A a 0, B b 1, C c 2
}
select! {
    /// The first of four operations; see [`select2`].
    select4, Select4, A a 0, B b 1, C c 2, D d 3
}
