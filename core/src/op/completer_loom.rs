//! Models of the completer: either side goes at any time, and a late one meets nobody.

use super::{Completer, Completions};
use crate::channel::{RecvError, SendError};
use crate::support_loom::explore;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

/// A static in real life; leaked for the model, which is small.
fn places() -> Arc<Completions<u32, 1>> {
    Arc::new(Completions::with_domain())
}

type Fire = fn(Completer<'_, u32>, u32) -> Result<(), SendError<u32>>;

/// SAFETY contract of the models: the thread is joined before `places` goes.
fn extend<'a>(completer: Completer<'_, u32>) -> Completer<'a, u32> {
    // SAFETY: see above.
    unsafe { core::mem::transmute(completer) }
}

#[test]
fn a_completion_learns_of_a_fire_or_a_drop() {
    for fires in [true, false] {
        explore(move || {
            let places = places();
            let (completer, completion) = places.completion().expect("free");
            let completer = extend(completer);
            let other = thread::spawn(move || {
                if fires {
                    completer.fire(3).expect("somebody waits");
                }
            });
            assert_eq!(block_on(completion), if fires { Ok(3) } else { Err(RecvError::Closed) });
            other.join().unwrap();
            assert_eq!(places.used(), 0);
        });
    }
}

/// The future goes and its place is used again while the first completer fires.
fn a_late_fire(fire: Fire) {
    explore(move || {
        let places = places();
        let (first, completion) = places.completion().expect("free");
        let first = extend(first);
        let other = thread::spawn(move || fire(first, 1).is_ok());
        {
            let mut completion = pin!(completion);
            let _ = completion.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        let (second, completion) = places.completion().expect("free again");
        other.join().unwrap();
        let fired = second.fire(2);
        let mut completion = pin!(completion);
        let got = completion.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!((fired, got), (Ok(()), Poll::Ready(Ok(2))), "another one's value");
    });
}

#[test]
fn a_late_fire_meets_nobody() {
    a_late_fire(|completer, value| completer.fire(value));
}

/// EXT-1 broken.
#[test]
#[should_panic(expected = "another one's value")]
fn a_late_fire_without_a_generation_hits_the_next() {
    a_late_fire(|completer, value| completer.fire_whatever_is_there(value));
}
