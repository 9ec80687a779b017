//! Models of the oneshot and the watch.

use super::{Oneshot, RecvError, Watch};
use crate::support_loom::explore;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};
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
