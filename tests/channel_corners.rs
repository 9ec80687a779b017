//! Corners of the channels: panics in wakers, futures that are leaked, or polled after their end.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use unboxed::channel::{Channel, Oneshot, RecvError, Watch};

/// More than are woken in one batch.
const MANY: usize = 40;

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Counts its wakes, or panics.
struct Counts {
    wakes: Arc<AtomicUsize>,
    panics: bool,
}

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        assert!(!self.panics, "this one");
        self.wakes.fetch_add(1, Ordering::SeqCst);
    }
}

/// Lets all wait, of whom the one at `panics` has a waker that panics; `tell` must wake all others.
fn all_but_one_are_woken<F: Future>(mut waiting: Vec<Pin<Box<F>>>, panics: usize, tell: impl FnOnce()) {
    let wakes = Arc::new(AtomicUsize::new(0));
    for (index, future) in waiting.iter_mut().enumerate() {
        let waker = Waker::from(Arc::new(Counts { wakes: wakes.clone(), panics: index == panics }));
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    catch_unwind(AssertUnwindSafe(tell)).expect_err("the wake's panic");
    assert_eq!(wakes.load(Ordering::SeqCst), waiting.len() - 1);
    assert!(waiting.iter_mut().all(|future| poll(future.as_mut()).is_ready()));
}

#[test]
fn a_wake_that_panics_loses_none_of_the_others() {
    for which in [0, 1, 15, 16, MANY - 1] {
        let channel: Channel<u32, 1> = Channel::new();
        let waiting = (0..MANY).map(|_| Box::pin(channel.recv())).collect();
        all_but_one_are_woken(waiting, which, || assert!(channel.close()));

        let channel: Channel<u32, 1> = Channel::new();
        channel.try_send(0).expect("room");
        let waiting = (0..MANY).map(|_| Box::pin(channel.send(1))).collect();
        all_but_one_are_woken(waiting, which, || assert!(channel.close()));

        let watch = Watch::new(0);
        let mut watchers: Vec<_> = (0..MANY).map(|_| watch.watcher()).collect();
        let waiting = watchers.iter_mut().map(|watcher| Box::pin(watcher.changed())).collect();
        all_but_one_are_woken(waiting, which, || watch.send(1).expect("open"));
    }
}

/// One receive moves a sender's value in and serves another receiver: the sender's wake panics.
#[test]
fn a_wake_that_panics_does_not_keep_the_value_from_its_receiver() {
    let channel: Channel<u32, 1> = Channel::new();
    let wakes = Arc::new(AtomicUsize::new(0));
    let counts = |panics| Waker::from(Arc::new(Counts { wakes: wakes.clone(), panics }));
    let (mut first, mut second) = (pin!(channel.recv()), pin!(channel.recv()));
    assert!(poll(first.as_mut()).is_pending());
    assert!(second.as_mut().poll(&mut Context::from_waker(&counts(false))).is_pending());
    channel.try_send(1).expect("room");
    let mut sending = pin!(channel.send(2));
    assert!(sending.as_mut().poll(&mut Context::from_waker(&counts(true))).is_pending());
    catch_unwind(AssertUnwindSafe(|| poll(first.as_mut()).is_ready())).expect_err("the wake's panic");
    assert_eq!(wakes.load(Ordering::SeqCst), 1);
    assert_eq!(poll(second), Poll::Ready(Ok(2)));
}

/// A leaked future of an earlier wait does not take the wake of the present one.
#[test]
fn a_leaked_receive_does_not_stop_a_oneshot() {
    let place: &'static Oneshot<u32> = Box::leak(Box::new(Oneshot::new()));
    let mut receiver = place.receiver().expect("free");
    let leaked = Box::leak(Box::new(Box::pin(receiver.recv())));
    assert!(poll(leaked.as_mut()).is_pending());
    let wakes = Arc::new(AtomicUsize::new(0));
    let waker = Waker::from(Arc::new(Counts { wakes: wakes.clone(), panics: false }));
    let mut present = pin!(receiver.recv());
    assert!(present.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    place.sender().expect("free").send(7).expect("the receiver is there");
    assert_eq!(wakes.load(Ordering::SeqCst), 1);
    assert_eq!(poll(present), Poll::Ready(Ok(7)));
}

/// A send that is polled after its end says so, also when the channel is full, and takes nobody's room.
#[test]
fn a_spent_send_does_not_wait() {
    let channel: Channel<u32, 1> = Channel::new();
    let mut spent = pin!(channel.send(1));
    assert_eq!(poll(spent.as_mut()), Poll::Ready(Ok(())));
    catch_unwind(AssertUnwindSafe(|| poll(spent.as_mut()).is_pending())).expect_err("polled after its end");
    let mut next = pin!(channel.send(2));
    assert!(poll(next.as_mut()).is_pending());
    assert_eq!(channel.try_recv(), Ok(1));
    assert_eq!(poll(next), Poll::Ready(Ok(())));
    assert_eq!((channel.try_recv(), channel.try_recv()), (Ok(2), Err(RecvError::Empty)));
}
