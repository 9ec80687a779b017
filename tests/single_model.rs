//! Oneshot, watch and completer against plain models, under random steps. `SEED=n` replays one.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use unboxed::channel::{Oneshot, OneshotReceiver, OneshotSender, RecvError, SendError, Watch};
use unboxed::op::{Completer, Completion, Completions, Operation};
use unboxed_tests::{Dropped, Drops, Rng, for_seeds};

type Value = (u64, Dropped);

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[derive(Default)]
struct Round {
    sender_came: bool,
    receiver_came: bool,
    sent: Option<u64>,
    receiver_gone: bool,
}

#[test]
fn a_oneshot_agrees_with_its_rounds() {
    for_seeds(300, |seed| {
        let mut rng = Rng::new(seed);
        let drops = Drops::default();
        let place = Oneshot::<Value>::new();
        let mut made = 0;
        let mut sender: Option<OneshotSender<'_, Value>> = None;
        let mut receiver: Option<OneshotReceiver<'_, Value>> = None;
        let mut round = Round::default();
        for _ in 0..300 {
            match rng.below(6) {
                0 => {
                    let claimed = place.sender();
                    assert_eq!(claimed.is_some(), !round.sender_came);
                    round.sender_came = true;
                    sender = sender.or(claimed);
                }
                1 => {
                    let claimed = place.receiver();
                    assert_eq!(claimed.is_some(), !round.receiver_came);
                    round.receiver_came = true;
                    receiver = receiver.or(claimed);
                }
                2 => {
                    if let Some(sender) = sender.take() {
                        made += 1;
                        match sender.send((made, drops.value())) {
                            Ok(()) => round.sent = Some(made),
                            Err(error) => {
                                assert!(matches!(error, SendError::Closed(_)) && round.receiver_gone);
                                assert_eq!(error.into_inner().0, made);
                            }
                        }
                    }
                }
                3 => drop(sender.take()),
                4 => {
                    round.receiver_gone |= receiver.is_some();
                    drop(receiver.take());
                }
                _ => {
                    let Some(receiver) = &mut receiver else { continue };
                    let mut recv = Box::pin(receiver.recv());
                    let first = poll(recv.as_mut());
                    let over = round.sender_came && sender.is_none();
                    match first {
                        Poll::Ready(Ok(value)) => assert_eq!(round.sent.take(), Some(value.0)),
                        Poll::Ready(Err(error)) => {
                            assert!(
                                error == RecvError::Closed && over && round.sent.is_none(),
                                "{error:?} {over} {:?}",
                                round.sent
                            )
                        }
                        Poll::Pending => {
                            assert!(!over);
                            // The sender comes meanwhile, or the future is cancelled, or dropped.
                            match rng.below(3) {
                                0 if sender.is_some() => {
                                    drop(sender.take());
                                    assert!(matches!(
                                        poll(recv.as_mut()),
                                        Poll::Ready(Err(RecvError::Closed))
                                    ));
                                }
                                1 => {
                                    let mut cx = Context::from_waker(Waker::noop());
                                    recv.as_mut().request_cancel(&mut cx);
                                    assert!(matches!(
                                        poll(recv.as_mut()),
                                        Poll::Ready(Err(RecvError::Cancelled))
                                    ));
                                }
                                _ => {}
                            }
                        }
                    }
                }
            }
            if round.sender_came && sender.is_none() && round.receiver_gone {
                round = Round::default();
            }
        }
        drop((sender, receiver));
        drop(place);
        assert_eq!(drops.count() as u64, made, "each value is dropped once");
    });
}

#[test]
fn a_watch_shows_the_latest_value() {
    for_seeds(300, |seed| {
        let mut rng = Rng::new(seed);
        let drops = Drops::default();
        let watch = Watch::<Value>::new((0, drops.value()));
        let last = Cell::new(0);
        let mut watchers: Vec<_> = (0..4).map(|_| (watch.watcher(), 0)).collect();
        fn act(watch: &Watch<Value>, last: &Cell<u64>, drops: &Drops, rng: &mut Rng, depth: u32) {
            match rng.below(3) {
                0 | 1 => {
                    last.set(last.get() + 1);
                    watch.send((last.get(), drops.value())).unwrap();
                }
                _ if depth < 6 => watch.read(|value| {
                    let before = value.0;
                    for _ in 0..rng.below(4) {
                        act(watch, last, drops, rng, depth + 1);
                    }
                    assert_eq!(value.0, before, "a value changed while it was read");
                }),
                _ => {}
            }
        }
        for _ in 0..100 {
            act(&watch, &last, &drops, &mut rng, 0);
            assert_eq!(watch.read(|value| value.0), last.get(), "the last value is missed");
            let at = rng.below(4) as usize;
            let (watcher, seen) = &mut watchers[at];
            assert_eq!(watcher.has_changed(), *seen != last.get());
            let changed = Box::pin(watcher.changed());
            let ready = { changed }.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(ready, if *seen == last.get() { Poll::Pending } else { Poll::Ready(Ok(())) });
            *seen = last.get();
        }
        let mut refused = 0;
        // Those who wait are told of the next value, and of the end.
        let mut waiting: Vec<_> = watchers.iter_mut().map(|(watcher, _)| watcher.clone()).collect();
        let mut news: Vec<_> = waiting
            .iter_mut()
            .map(|watcher| {
                watcher.read(|_| ());
                Box::pin(watcher.changed())
            })
            .collect();
        assert!(news.iter_mut().all(|news| poll(news.as_mut()).is_pending()));
        if rng.below(2) == 0 {
            watch.send((last.get() + 1, drops.value())).unwrap();
            last.set(last.get() + 1);
            assert!(news.iter_mut().all(|news| poll(news.as_mut()) == Poll::Ready(Ok(()))));
        } else {
            assert!(watch.close() && !watch.close());
            assert!(news.iter_mut().all(|news| poll(news.as_mut()) == Poll::Ready(Err(RecvError::Closed))));
            assert!(watch.send((0, drops.value())).is_err());
            refused = 1;
        }
        drop(news);
        drop((waiting, watchers));
        drop(watch);
        assert_eq!(drops.count() as u64, last.get() + 1 + refused, "each value is dropped once");
    });
}

#[test]
fn a_completer_fires_once_for_its_own_future() {
    type Fires<'a> = Vec<(u64, Completer<'a, Value>)>;
    type Waits<'a> = Vec<(u64, Pin<Box<Completion<'a, Value>>>, Option<bool>)>;
    for_seeds(300, |seed| {
        let mut rng = Rng::new(seed);
        let drops = Drops::default();
        let places = Completions::<Value, 3>::new();
        let (mut fires, mut waits): (Fires<'_>, Waits<'_>) = (Vec::new(), Vec::new());
        let (mut made, mut id) = (0, 0);
        for _ in 0..300 {
            let pick = |rng: &mut Rng, len: usize| (len > 0).then(|| rng.below(len as u64) as usize);
            assert_eq!(places.used(), waits.len());
            match rng.below(5) {
                0 => {
                    let pair = places.completion();
                    assert_eq!(pair.is_some(), waits.len() < 3);
                    if let Some((completer, completion)) = pair {
                        id += 1;
                        fires.push((id, completer));
                        waits.push((id, Box::pin(completion), None));
                    }
                }
                1 => {
                    let Some(at) = pick(&mut rng, fires.len()) else { continue };
                    let (id, completer) = fires.swap_remove(at);
                    let wait = waits.iter_mut().find(|wait| wait.0 == id);
                    assert_eq!(completer.is_stale(), wait.is_none());
                    if rng.below(3) == 0 {
                        drop(completer);
                        wait.into_iter().for_each(|wait| wait.2 = Some(false));
                        continue;
                    }
                    made += 1;
                    match (completer.fire((id, drops.value())), wait) {
                        (Ok(()), Some(wait)) => wait.2 = Some(true),
                        (Err(SendError::Closed(value)), None) => assert_eq!(value.0, id),
                        (fired, _) => panic!("{fired:?}"),
                    }
                }
                2 => {
                    let Some(at) = pick(&mut rng, waits.len()) else { continue };
                    let (id, future, fired) = &mut waits[at];
                    match (poll(future.as_mut()), *fired) {
                        (Poll::Pending, None) => continue,
                        (Poll::Ready(Ok(value)), Some(true)) => assert_eq!(value.0, *id),
                        (Poll::Ready(Err(RecvError::Closed)), Some(false)) => {}
                        (got, fired) => panic!("{got:?} for {fired:?}"),
                    }
                    drop(waits.swap_remove(at));
                }
                3 => {
                    let Some(at) = pick(&mut rng, waits.len()) else { continue };
                    let (id, mut future, fired) = waits.swap_remove(at);
                    future.as_mut().request_cancel(&mut Context::from_waker(Waker::noop()));
                    match (poll(future.as_mut()), fired) {
                        (Poll::Ready(Err(RecvError::Cancelled)), None) => {}
                        (Poll::Ready(Ok(value)), Some(true)) => assert_eq!(value.0, id),
                        (Poll::Ready(Err(RecvError::Closed)), Some(false)) => {}
                        (got, fired) => panic!("{got:?} for {fired:?}"),
                    }
                }
                _ => drop(pick(&mut rng, waits.len()).map(|at| waits.swap_remove(at))),
            }
        }
        drop((fires, waits));
        assert_eq!(places.used(), 0);
        assert_eq!(drops.count(), made, "each value is dropped once");
    });
}

/// A guard that is made before it is known that it may be is dropped again, and unlocks what another holds.
#[test]
fn an_attempt_that_fails_changes_nothing() {
    let mutex = unboxed::sync::Mutex::new(());
    let guard = mutex.try_lock().expect("free");
    assert!(mutex.try_lock().is_none());
    assert!(mutex.try_lock().is_none());
    drop(guard);
    assert!(mutex.try_lock().is_some());
}
