//! Oneshot, watch and completer against plain models, while their futures are held, polled, cancelled and dropped
//! between the steps of the other side. The wakers come back into the primitive whenever they are cloned, woken or
//! dropped, and the raw lock fails when it is asked for twice. `SEED=n` replays one run.

use std::task::{Context, Poll, Waker};
use unboxed::channel::{Changed, Oneshot, OneshotSender, RecvError, SendError, Watch};
use unboxed::op::{Completer, Completion, Completions, Operation};
use unboxed_tests::held::{Held, Poke};
use unboxed_tests::waits::Checked;
use unboxed_tests::{Dropped, Drops, Rng, for_seeds};

const SEEDS: u64 = 300;

type Value = (u64, Dropped);

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn pick<T>(rng: &mut Rng, all: &[T]) -> Option<usize> {
    (!all.is_empty()).then(|| rng.below(all.len() as u64) as usize)
}

fn cancel<F: Operation>(held: &mut Held<F>) {
    held.future.as_mut().request_cancel(&mut Context::from_waker(Waker::noop()));
}

/// One sender, and a receive that is held meanwhile.
#[test]
fn a_oneshot_as_its_model() {
    for_seeds(SEEDS, |seed| {
        let (rng, drops) = (&mut Rng::new(seed), Drops::default());
        let place: &'static Oneshot<Value, Checked> = leak(Oneshot::with_domain());
        let poke: Poke = leak(|| drop(place.receiver()));
        let mut made = 0;
        for _ in 0..60 {
            let mut receiver = place.receiver().expect("the last round is over");
            let mut sender: Option<OneshotSender<'_, Value, Checked>> = place.sender();
            // What lies in the place.
            let mut lies = None;
            // Several receives in a round, one after the other.
            for _ in 0..1 + rng.below(4) {
                let mut recv = Held::new(0, receiver.recv());
                let mut cancelled = false;
                for _ in 0..rng.below(10) {
                    match rng.below(6) {
                        0 => {
                            if let Some(sender) = sender.take() {
                                made += 1;
                                sender.send((made, drops.value())).expect("the receiver is there");
                                lies = Some(made);
                            }
                        }
                        1 => drop(sender.take()),
                        2 => {
                            cancelled = true;
                            cancel(&mut recv);
                        }
                        _ => {
                            let told = recv.polled() && recv.woken();
                            let waits = recv.waits();
                            let expected = match (lies, &sender) {
                                // A cancel takes it out of the line, unless it was served before.
                                _ if cancelled && !told => Some(Err(RecvError::Cancelled)),
                                (Some(value), _) => Some(Ok(value)),
                                (None, None) => Some(Err(RecvError::Closed)),
                                (None, Some(_)) => None,
                            };
                            assert!(cancelled || !waits || expected.is_none(), "forgotten");
                            match recv.poll(poke) {
                                Poll::Ready(got) => {
                                    assert_eq!(Some(got.map(|value| value.0)), expected);
                                    if let Some(Ok(_)) = expected {
                                        lies = None;
                                    }
                                    break;
                                }
                                Poll::Pending => assert_eq!(expected, None),
                            }
                        }
                    }
                }
            }
            assert_eq!(receiver.try_recv().ok().map(|value| value.0), lies, "the value stays for the next");
            if rng.below(2) == 0 {
                drop(sender.take());
                drop(receiver);
            } else {
                drop(receiver);
                if let Some(sender) = sender {
                    made += 1;
                    let refused = sender.send((made, drops.value())).expect_err("the receiver is gone");
                    assert!(matches!(refused, SendError::Closed(value) if value.0 == made));
                }
            }
            assert_eq!(drops.count() as u64, made, "each value is dropped once");
        }
    });
}

struct Watching {
    held: Held<Changed<'static, Value, Checked>>,
    seen: u64,
    cancelled: bool,
}

/// Watchers that wait while values are sent, also from within reads of older ones, and until the end.
#[test]
fn a_watch_as_its_model() {
    for_seeds(SEEDS, |seed| {
        let (rng, drops) = (&mut Rng::new(seed), Drops::default());
        let watch: &'static Watch<Value, Checked> = leak(Watch::with_domain((0, drops.value())));
        let poke: Poke = leak(|| watch.read(|value| assert!(value.0 < u64::MAX)));
        let mut made = 0;
        let mut closed = false;
        let mut watching: Vec<Watching> = Vec::new();
        for _ in 0..200 {
            match rng.below(10) {
                0 | 1 => {
                    let watcher = Box::leak(Box::new(watch.watcher()));
                    let (seen, held) = (watch.version(), Held::new(0, watcher.changed()));
                    watching.push(Watching { held, seen, cancelled: false });
                }
                2 => {
                    if let Some(at) = pick(rng, &watching) {
                        drop(watching.swap_remove(at));
                    }
                }
                3 if !closed => {
                    // One is published, others wait for the end of the reads, and replace each other there.
                    let before = watch.version();
                    let nested = rng.below(4);
                    let mut value = || {
                        made += 1;
                        (made, drops.value())
                    };
                    watch.read(|_| {
                        for _ in 0..nested {
                            watch.send(value()).expect("open");
                        }
                    });
                    assert_eq!(
                        watch.version() - before,
                        nested.min(2),
                        "one at once, the last one at the end"
                    );
                }
                4 if !closed => {
                    made += 1;
                    watch.send((made, drops.value())).expect("open");
                }
                5 if rng.below(40) == 0 => {
                    assert_eq!(watch.close(), !closed);
                    closed = true;
                }
                6 => {
                    if let Some(at) = pick(rng, &watching) {
                        watching[at].cancelled = true;
                        cancel(&mut watching[at].held);
                    }
                }
                _ => {
                    let Some(at) = pick(rng, &watching) else { continue };
                    let one = &mut watching[at];
                    let told = one.held.polled() && one.held.woken();
                    let expected = match () {
                        () if one.cancelled && !told => Some(Err(RecvError::Cancelled)),
                        () if one.seen != watch.version() => Some(Ok(())),
                        () => closed.then_some(Err(RecvError::Closed)),
                    };
                    match one.held.poll(poke) {
                        Poll::Ready(got) => {
                            assert_eq!(Some(got), expected);
                            watching.swap_remove(at);
                        }
                        Poll::Pending => assert_eq!(expected, None),
                    }
                }
            }
            for one in watching.iter().filter(|one| one.held.polled() && !one.cancelled) {
                let news = one.seen != watch.version() || closed;
                assert_eq!(one.held.woken(), news, "who waits is woken when there is news, and only then");
            }
            assert!(watch.read(|value| value.0) == made, "the last value is shown");
            assert_eq!(drops.count() as u64, made, "the others are gone");
        }
    });
}

struct Waiting {
    held: Held<Completion<'static, Value, Checked>>,
    fired: Option<bool>,
    cancelled: bool,
}

/// Both sides of three places, each going at any time.
#[test]
fn a_completer_as_its_model() {
    for_seeds(SEEDS, |seed| {
        let (rng, drops) = (&mut Rng::new(seed), Drops::default());
        let places: &'static Completions<Value, 3, Checked> = leak(Completions::with_domain());
        let poke: Poke = leak(|| assert!(places.used() <= 3));
        let mut fires: Vec<(u64, Completer<'static, Value, Checked>)> = Vec::new();
        let mut waits: Vec<Waiting> = Vec::new();
        let (mut made, mut id) = (0, 0);
        for _ in 0..300 {
            match rng.below(8) {
                0 | 1 => {
                    let pair = places.completion();
                    assert_eq!(pair.is_some(), waits.len() < 3);
                    if let Some((completer, completion)) = pair {
                        id += 1;
                        fires.push((id, completer));
                        waits.push(Waiting {
                            held: Held::new(id, completion),
                            fired: None,
                            cancelled: false,
                        });
                    }
                }
                2 => {
                    let Some(at) = pick(rng, &fires) else { continue };
                    let (id, completer) = fires.swap_remove(at);
                    let wait = waits.iter_mut().find(|wait| wait.held.id == id && !wait.cancelled);
                    assert_eq!(completer.is_stale(), wait.is_none());
                    if rng.below(3) == 0 {
                        drop(completer);
                        wait.into_iter().for_each(|wait| wait.fired = Some(false));
                        continue;
                    }
                    made += 1;
                    match (completer.fire((id, drops.value())), wait) {
                        (Ok(()), Some(wait)) => wait.fired = Some(true),
                        (Err(SendError::Closed(value)), None) => assert_eq!(value.0, id),
                        (fired, _) => panic!("{fired:?}"),
                    }
                }
                3 => {
                    let Some(at) = pick(rng, &waits) else { continue };
                    cancel(&mut waits[at].held);
                    waits[at].cancelled |= waits[at].fired.is_none();
                }
                4 => drop(pick(rng, &waits).map(|at| waits.swap_remove(at))),
                _ => {
                    let Some(at) = pick(rng, &waits) else { continue };
                    let wait = &mut waits[at];
                    let expected = match wait.fired {
                        _ if wait.cancelled => Some(Err(RecvError::Cancelled)),
                        Some(true) => Some(Ok(wait.held.id)),
                        Some(false) => Some(Err(RecvError::Closed)),
                        None => None,
                    };
                    match wait.held.poll(poke) {
                        Poll::Ready(got) => {
                            assert_eq!(Some(got.map(|value| value.0)), expected);
                            drop(waits.swap_remove(at));
                        }
                        Poll::Pending => assert_eq!(expected, None),
                    }
                }
            }
            for wait in waits.iter().filter(|wait| wait.held.polled() && !wait.cancelled) {
                assert_eq!(wait.held.woken(), wait.fired.is_some(), "woken once it has ended");
            }
            assert_eq!(places.used(), waits.len());
        }
        drop((fires, waits));
        assert_eq!((places.used(), drops.count()), (0, made), "each value is dropped once");
    });
}
