//! Models of the oneshot and the watch.

use super::{Oneshot, OneshotSender, RecvError, Watch};
use crate::support_loom::{explore, poll_once, when_woken};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

#[test]
fn a_oneshot_delivers_or_tells() {
    for sends in [true, false] {
        explore(move || {
            let place = Arc::new(Oneshot::<u32>::with_domain());
            let sender = {
                let place = place.clone();
                thread::spawn(move || {
                    let sender = place.sender().expect("free");
                    if sends {
                        sender.send(5).expect("the receiver is there");
                    }
                })
            };
            let mut receiver = place.receiver().expect("free");
            let expected = if sends { Ok(5) } else { Err(RecvError::Closed) };
            assert_eq!(block_on(receiver.recv()), expected);
            drop(receiver);
            sender.join().unwrap();
            assert!(place.sender().is_some() && place.receiver().is_some(), "the round is over");
        });
    }
}

/// A receiver that goes while the value comes: it comes back, or is dropped with the receiver; once.
#[test]
fn a_oneshot_value_is_dropped_once() {
    explore(|| {
        let place = Arc::new(Oneshot::<std::sync::Arc<()>>::with_domain());
        let value = std::sync::Arc::new(());
        let sender = {
            let (place, value) = (place.clone(), value.clone());
            thread::spawn(move || drop(place.sender().expect("free").send(value)))
        };
        {
            let mut receiver = place.receiver().expect("free");
            let mut recv = pin!(receiver.recv());
            let _ = recv.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        sender.join().unwrap();
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
        assert!(place.receiver().is_some());
    });
}

#[test]
fn a_change_is_told() {
    explore(|| {
        let watch = Arc::new(Watch::<u32>::with_domain(0));
        let mut watcher = watch.watcher();
        let sender = {
            let watch = watch.clone();
            thread::spawn(move || {
                watch.send(1).expect("open");
                watch.close();
            })
        };
        assert_eq!(block_on(watcher.changed()), Ok(()));
        assert_eq!(watcher.read(|value| *value), 1);
        assert_eq!(block_on(watcher.changed()), Err(RecvError::Closed));
        sender.join().unwrap();
    });
}

fn reads_against_sends(send: fn(&Watch<u32>, u32)) {
    explore(move || {
        let watch = Arc::new(Watch::<u32>::with_domain(0));
        let sender = {
            let watch = watch.clone();
            thread::spawn(move || {
                send(&watch, 1);
                send(&watch, 2);
            })
        };
        let mut seen = 0;
        for _ in 0..2 {
            let value = watch.read(|value| {
                thread::yield_now();
                *value
            });
            assert!(value >= seen, "an older value");
            seen = value;
        }
        sender.join().unwrap();
        assert_eq!(watch.get(), 2, "the last value is missed");
    });
}

#[test]
fn a_value_is_not_written_while_it_is_read() {
    reads_against_sends(|watch, value| watch.send(value).expect("open"));
}

/// WATCH-1 broken.
#[test]
#[should_panic]
fn a_value_written_over_its_readers_races() {
    reads_against_sends(|watch, value| watch.send_over_readers(value));
}

/// Whether somebody who waits while the other side ends is told, or sees it at once.
fn is_told<F: Future>(future: core::pin::Pin<&mut F>, ends: thread::JoinHandle<()>) -> bool {
    let woken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let waker = {
        let woken = woken.clone();
        when_woken(move || woken.store(true, std::sync::atomic::Ordering::SeqCst))
    };
    let ready = future.poll(&mut Context::from_waker(&waker)).is_ready();
    ends.join().unwrap();
    ready || woken.load(std::sync::atomic::Ordering::SeqCst)
}

fn the_sender_goes(go: fn(OneshotSender<'_, u32>)) {
    explore(move || {
        let place = Arc::new(Oneshot::<u32>::with_domain());
        let mut receiver = place.receiver().expect("free");
        let ends = {
            let place = place.clone();
            thread::spawn(move || go(place.sender().expect("free")))
        };
        let mut recv = pin!(receiver.recv());
        assert!(is_told(recv.as_mut(), ends), "lost wake");
        if let Poll::Ready(got) = poll_once(recv) {
            assert_eq!(got, Err(RecvError::Closed));
        }
    });
}

#[test]
fn a_sender_that_goes_tells_the_receiver() {
    the_sender_goes(|sender| drop(sender));
}

#[test]
#[should_panic(expected = "lost wake")]
fn a_sender_that_tells_before_it_goes_forgets_one() {
    the_sender_goes(|sender| sender.go_too_late());
}

/// A receiver that is cancelled while the value comes: it gets it, or leaves it in the place.
#[test]
fn a_cancelled_recv_leaves_the_value() {
    explore(|| {
        let place = Arc::new(Oneshot::<u32>::with_domain());
        let mut receiver = place.receiver().expect("free");
        let sender = {
            let place = place.clone();
            thread::spawn(move || place.sender().expect("free").send(5).expect("the receiver is there"))
        };
        let mut got = None;
        {
            let mut recv = pin!(receiver.recv());
            let mut first = poll_once(recv.as_mut());
            if first.is_pending() {
                recv.as_mut().withdraw();
                first = poll_once(recv);
            }
            if let Poll::Ready(Ok(value)) = first {
                got = Some(value);
            }
        }
        sender.join().unwrap();
        assert_eq!(got.or_else(|| receiver.try_recv().ok()), Some(5));
    });
}

fn a_watch_is_closed(close: fn(&Watch<u32>)) {
    explore(move || {
        let watch = Arc::new(Watch::<u32>::with_domain(0));
        let mut watcher = watch.watcher();
        let ends = {
            let watch = watch.clone();
            thread::spawn(move || close(&watch))
        };
        assert!(is_told(pin!(watcher.changed()), ends), "lost wake");
    });
}

#[test]
fn a_close_reaches_a_watcher() {
    a_watch_is_closed(|watch| assert!(watch.close()));
}

#[test]
#[should_panic(expected = "lost wake")]
fn a_close_that_tells_too_early_forgets_a_watcher() {
    a_watch_is_closed(Watch::close_too_late);
}

/// Wakers that come back into the watch and the oneshot.
fn wakers_come_back(close: fn(&Watch<u32>), go: fn(OneshotSender<'_, u32>)) {
    explore(move || {
        let both = Arc::new((Watch::<u32>::with_domain(0), Oneshot::<u32>::with_domain()));
        let waker = {
            let both = both.clone();
            when_woken(move || assert!(both.0.get() == 0 && both.1.receiver().is_none()))
        };
        let mut cx = Context::from_waker(&waker);
        let mut watcher = both.0.watcher();
        let mut receiver = both.1.receiver().expect("free");
        let (mut changed, mut recv) = (pin!(watcher.changed()), pin!(receiver.recv()));
        assert!(changed.as_mut().poll(&mut cx).is_pending() && recv.as_mut().poll(&mut cx).is_pending());
        close(&both.0);
        go(both.1.sender().expect("free"));
        assert_eq!(poll_once(changed), Poll::Ready(Err(RecvError::Closed)));
        assert_eq!(poll_once(recv), Poll::Ready(Err(RecvError::Closed)));
    });
}

#[test]
fn wakers_may_come_back() {
    wakers_come_back(|watch| assert!(watch.close()), |sender| drop(sender));
}

/// WAIT-2 broken.
#[test]
#[should_panic(expected = "maximum number of branches")]
fn a_watch_that_wakes_under_the_lock_does_not_end() {
    wakers_come_back(Watch::close_waking_under_the_lock, |sender| drop(sender));
}

/// WAIT-2 broken.
#[test]
#[should_panic(expected = "maximum number of branches")]
fn a_oneshot_that_wakes_under_the_lock_does_not_end() {
    wakers_come_back(|watch| assert!(watch.close()), |sender| sender.go_waking_under_the_lock());
}
