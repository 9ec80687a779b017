//! Models of the channel: nothing lost, nothing twice, everybody woken; with the bugs that would break it.

use super::state::{After, CLOSED};
use super::{Channel, RecvError, SendError};
use crate::support_loom::{explore, poll_once};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

type One = Arc<Channel<u32, 1>>;

fn one() -> One {
    Arc::new(Channel::with_domain())
}

#[test]
fn values_arrive_in_order() {
    explore(|| {
        let channel = one();
        let other = {
            let channel = channel.clone();
            thread::spawn(move || {
                for value in 1..=2 {
                    assert_eq!(block_on(channel.send(value)), Ok(()));
                }
            })
        };
        assert_eq!(block_on(channel.recv()), Ok(1));
        assert_eq!(block_on(channel.recv()), Ok(2));
        other.join().unwrap();
        assert_eq!(channel.try_recv(), Err(RecvError::Empty));
    });
}

/// A receiver that is dropped, perhaps served already, leaves the value to the next.
fn a_receiver_goes(go: fn(core::pin::Pin<&mut super::Receiving<'_, u32, 1>>)) {
    explore(move || {
        let channel = one();
        let other = {
            let channel = channel.clone();
            thread::spawn(move || assert_eq!(block_on(channel.send(7)), Ok(())))
        };
        {
            let mut first = pin!(channel.recv());
            if poll_once(first.as_mut()).is_ready() {
                return other.join().unwrap();
            }
            go(first);
        }
        other.join().unwrap();
        assert_eq!(channel.try_recv(), Ok(7), "lost value");
    });
}

#[test]
fn a_receiver_that_goes_leaves_the_value() {
    a_receiver_goes(|_| ());
}

/// CHAN-2 broken: the value stays set aside for one who is gone.
#[test]
#[should_panic(expected = "lost value")]
fn a_receiver_that_keeps_the_value_loses_it() {
    a_receiver_goes(|first| first.leave_with_the_value());
}

/// A receive that is cancelled, perhaps served already: it gets the value, or the next one can.
fn a_receive_is_cancelled(cancel: fn(core::pin::Pin<&mut super::Receiving<'_, u32, 1>>)) {
    explore(move || {
        let channel = one();
        let other = {
            let channel = channel.clone();
            thread::spawn(move || assert_eq!(block_on(channel.send(7)), Ok(())))
        };
        let mut receiving = pin!(channel.recv());
        let mut got = poll_once(receiving.as_mut());
        if got.is_pending() {
            cancel(receiving.as_mut());
            got = poll_once(receiving);
        }
        other.join().unwrap();
        match got {
            Poll::Ready(Ok(7)) => assert_eq!(channel.try_recv(), Err(RecvError::Empty)),
            Poll::Ready(Err(RecvError::Cancelled)) => assert_eq!(channel.try_recv(), Ok(7), "lost value"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_cancelled_receive_loses_nothing() {
    a_receive_is_cancelled(|receiving| receiving.withdraw());
}

/// The seeded bug: it leaves also when it was served.
#[test]
#[should_panic(expected = "lost value")]
fn a_cancelled_receive_that_was_served_must_take_it() {
    a_receive_is_cancelled(|receiving| receiving.withdraw_with_the_value());
}

/// A send that is cancelled while its value is moved in: it was sent, or the value comes back.
#[test]
fn a_cancelled_send_was_sent_or_comes_back() {
    explore(|| {
        let channel = one();
        channel.try_send(1).unwrap();
        let mut sending = pin!(channel.send(2));
        assert!(poll_once(sending.as_mut()).is_pending());
        let other = {
            let channel = channel.clone();
            thread::spawn(move || channel.try_recv())
        };
        sending.as_mut().withdraw();
        let sent = match poll_once(sending) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(SendError::Cancelled(2))) => false,
            other => panic!("{other:?}"),
        };
        assert_eq!(other.join().unwrap(), Ok(1));
        assert_eq!(channel.try_recv(), if sent { Ok(2) } else { Err(RecvError::Empty) });
    });
}

/// A sender that is dropped while it waits has sent its value, or not; it is not sent twice, and who waits
/// behind it is not forgotten.
#[test]
fn a_sender_that_goes_does_not_stop_the_next() {
    explore(|| {
        let channel = one();
        channel.try_send(1).unwrap();
        let other = {
            let channel = channel.clone();
            thread::spawn(move || assert_eq!(block_on(channel.recv()), Ok(1)))
        };
        {
            let mut gone = pin!(channel.send(2));
            let _ = poll_once(gone.as_mut());
        }
        other.join().unwrap();
        let mut left = channel.drain();
        assert!(matches!(left.next(), None | Some(2)));
        assert_eq!(left.next(), None);
    });
}

/// Notes that it was woken.
#[derive(Default)]
struct Noted(std::sync::atomic::AtomicBool);

impl std::task::Wake for Noted {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

fn close_against_recv(close: fn(&Channel<u32, 1>)) {
    explore(move || {
        let channel = one();
        let other = {
            let channel = channel.clone();
            thread::spawn(move || close(&channel))
        };
        let noted = std::sync::Arc::new(Noted::default());
        let waker = Waker::from(noted.clone());
        let mut receiving = pin!(channel.recv());
        let first = receiving.as_mut().poll(&mut Context::from_waker(&waker));
        other.join().unwrap();
        let woken = noted.0.load(std::sync::atomic::Ordering::SeqCst);
        assert!(first.is_ready() || woken, "lost wake");
        assert_eq!(
            if first.is_ready() { first } else { poll_once(receiving) },
            Poll::Ready(Err(RecvError::Closed))
        );
    });
}

#[test]
fn a_close_wakes_who_waits() {
    close_against_recv(|channel| assert!(channel.close()));
}

#[test]
#[should_panic(expected = "lost wake")]
fn a_close_that_wakes_too_early_forgets_one() {
    close_against_recv(Channel::close_too_late);
}

/// A close against a sender that waits: the value is received, or comes back.
#[test]
fn a_close_gives_values_back_or_leaves_them() {
    explore(|| {
        let channel = one();
        channel.try_send(1).unwrap();
        let mut sending = pin!(channel.send(2));
        assert!(poll_once(sending.as_mut()).is_pending());
        let closer = {
            let channel = channel.clone();
            thread::spawn(move || channel.close())
        };
        let mut seen = 0;
        while let Ok(value) = block_on(channel.recv()) {
            seen += value;
        }
        assert!(closer.join().unwrap());
        let Poll::Ready(sent) = poll_once(sending) else { panic!("a sender forgotten") };
        assert_eq!(seen, if sent.is_ok() { 3 } else { 1 });
    });
}

/// Wakes by taking what it was woken for.
struct Taker(One);

impl std::task::Wake for Taker {
    fn wake(self: std::sync::Arc<Self>) {
        assert!(matches!(self.0.try_recv(), Ok(_) | Err(RecvError::Empty)));
    }
}

fn a_wake_comes_back(send: fn(&Channel<u32, 1>)) {
    explore(move || {
        let channel = one();
        let waker = Waker::from(std::sync::Arc::new(Taker(channel.clone())));
        let mut receiving = pin!(channel.recv());
        assert!(receiving.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        send(&channel);
        assert_eq!(block_on(receiving), Ok(1));
    });
}

#[test]
fn a_wake_may_use_the_channel() {
    a_wake_comes_back(|channel| channel.try_send(1).unwrap());
}

/// WAIT-2 broken: the waker waits for the lock under which it is woken.
#[test]
#[should_panic(expected = "maximum number of branches")]
fn a_wake_under_the_lock_waits_for_itself() {
    a_wake_comes_back(|channel| channel.send_and_wake_under_lock(1));
}

/// The seeded bugs.
impl<T, const N: usize> Channel<T, N> {
    /// A seeded bug: wakes the receivers before it closes.
    pub fn close_too_late(&self) {
        while let Some(waker) = self.guarded.with(|chan| chan.list.serve(CLOSED)) {
            waker.wake();
        }
        self.guarded.with(|chan| chan.state.closed = true);
    }

    /// A seeded bug: wakes the receiver under the lock.
    pub fn send_and_wake_under_lock(&self, value: T) {
        self.guarded.with(|chan| {
            let mut after = After::default();
            chan.put(value, &mut after);
            self.follow(after);
        });
    }
}
