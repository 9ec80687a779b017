//! All of them.

use super::branch::Branch;
use crate::op::Operation;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

macro_rules! join {
    ($(#[$meta:meta])* $join:ident, $Join:ident, $($F:ident $f:ident),+) => {
        $(#[$meta])*
        pub fn $join<$($F: Future),+>($($f: $F),+) -> $Join<$($F),+> {
            $Join { $($f: Branch::Pending($f)),+ }
        }

        #[doc = concat!("See [`", stringify!($join), "`].")]
        #[must_use = "futures do nothing unless awaited"]
        pub struct $Join<$($F: Future),+> {
            $($f: Branch<$F>),+
        }

        impl<$($F: Future),+> core::fmt::Debug for $Join<$($F),+> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_tuple(stringify!($Join))$(.field(&self.$f))+.finish()
            }
        }

        impl<$($F: Future),+> $Join<$($F),+> {
            fn branches(self: Pin<&mut Self>) -> ($(Pin<&mut Branch<$F>>),+) {
                // SAFETY: BRANCH-1: all fields are pinned structurally, and there is no drop of our own.
                let this = unsafe { self.get_unchecked_mut() };
                // SAFETY: as above.
                unsafe { ($(Pin::new_unchecked(&mut this.$f)),+) }
            }
        }

        impl<$($F: Future),+> Future for $Join<$($F),+> {
            type Output = ($($F::Output),+);

            #[inline]
            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let ($(mut $f),+) = self.as_mut().branches();
                if $($f.as_mut().poll(cx))&+ { Poll::Ready(($($f.take()),+)) } else { Poll::Pending }
            }
        }

        impl<$($F: Operation),+> Operation for $Join<$($F),+> {
            fn request_cancel(self: Pin<&mut Self>, cx: &mut Context<'_>) {
                let ($($f),+) = self.branches();
                $($f.request_cancel(cx);)+
            }

            /// Only when nothing came of any of them.
            fn was_cancelled(($($f),+): &Self::Output) -> bool {
                $($F::was_cancelled($f))&&+
            }
        }
    };
}

join! {
    /// Waits for both, and gives both outputs. Of operations it is an operation: a cancel goes to each.
    ///
    /// # Cancel safety
    /// Dropping it drops both, and an output that had come; for operations `cancel` loses nothing.
    ///
    /// # Panics
    /// When polled again after its end.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// use unboxed::combine::join2;
    ///
    /// let mut both = std::pin::pin!(join2(async { 1 }, async { "two" }));
    /// # use std::future::Future;
    /// # assert_eq!(both.as_mut().poll(&mut cx), std::task::Poll::Ready((1, "two")));
    /// ```
    join2, Join2, A a, B b
}
join! {
    /// Waits for all three; see [`join2`].
    join3, Join3, A a, B b, C c
}
join! {
    /// Waits for all four; see [`join2`].
    join4, Join4, A a, B b, C c, D d
}
