//! The first of some plain futures.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

macro_rules! race {
    ($(#[$meta:meta])* $race:ident, $Race:ident, $A:ident $a:ident, $($F:ident $f:ident),+) => {
        $(#[$meta])*
        pub fn $race<$A: Future, $($F: Future<Output = $A::Output>),+>(
            $a: $A,
            $($f: $F),+
        ) -> $Race<$A, $($F),+> {
            $Race { $a, $($f),+ }
        }

        #[doc = concat!("See [`", stringify!($race), "`].")]
        #[derive(Debug)]
        #[must_use = "futures do nothing unless awaited"]
        pub struct $Race<$A, $($F),+> {
            $a: $A,
            $($f: $F),+
        }

        impl<$A: Future, $($F: Future<Output = $A::Output>),+> Future for $Race<$A, $($F),+> {
            type Output = $A::Output;

            #[inline]
            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<$A::Output> {
                // SAFETY: BRANCH-1: all fields are pinned structurally, and there is no drop of our own.
                let this = unsafe { self.get_unchecked_mut() };
                // SAFETY: as above.
                let $a = unsafe { Pin::new_unchecked(&mut this.$a) };
                if let Poll::Ready(output) = $a.poll(cx) {
                    return Poll::Ready(output);
                }
                $(
                    // SAFETY: as above.
                    let $f = unsafe { Pin::new_unchecked(&mut this.$f) };
                    if let Poll::Ready(output) = $f.poll(cx) {
                        return Poll::Ready(output);
                    }
                )+
                Poll::Pending
            }
        }
    };
}

race! {
    /// The output of whichever ends first. The other is dropped with the race, wherever it is; what must not
    /// be lost goes through [`select2`](super::select2). Of two that are ready the first argument wins.
    ///
    /// # Cancel safety
    /// That of each future.
    ///
    /// ```
    /// # use unboxed_core as unboxed;
    /// # let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// use unboxed::combine::race2;
    ///
    /// let mut first = std::pin::pin!(race2(std::future::pending(), async { 2 }));
    /// # use std::future::Future;
    /// # assert_eq!(first.as_mut().poll(&mut cx), std::task::Poll::Ready(2));
    /// ```
    race2, Race2, A a, B b
}
race! {
    /// The output of whichever of three ends first; see [`race2`].
    race3, Race3, A a, B b, C c
}
race! {
    /// The output of whichever of four ends first; see [`race2`].
    race4, Race4, A a, B b, C c, D d
}
