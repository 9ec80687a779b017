//! Oneshot and watch with wakers that come back into them whenever they are cloned, woken or dropped, under random
//! polls, drops and sends: the raw lock fails when it is asked for twice, and nobody who waits is forgotten.
//! `SEED=n` replays one run.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use unboxed::channel::{Oneshot, Watch};
use unboxed_tests::waits::Checked;
use unboxed_tests::{Rng, for_seeds};

/// Notes its wake, and pokes in each of its functions.
struct Poker {
    woken: Rc<Cell<bool>>,
    poke: &'static dyn Fn(),
}

const VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: the data of each waker is a counted pointer, and all stays on one thread.
        let poker = unsafe { Rc::from_raw(data.cast::<Poker>()) };
        (poker.poke)();
        RawWaker::new(Rc::into_raw(Rc::clone(&std::mem::ManuallyDrop::new(poker))).cast(), &VTABLE)
    },
    |data| {
        // SAFETY: as above.
        let poker = unsafe { Rc::from_raw(data.cast::<Poker>()) };
        poker.woken.set(true);
        (poker.poke)();
    },
    |_| unreachable!("nothing wakes by reference"),
    |data| {
        // SAFETY: as above.
        let poker = unsafe { Rc::from_raw(data.cast::<Poker>()) };
        (poker.poke)();
    },
);

/// A future, and whether it was woken since its last poll.
struct Held<'a, O> {
    future: Pin<Box<dyn Future<Output = O> + 'a>>,
    woken: Rc<Cell<bool>>,
    polled: bool,
}

impl<'a, O> Held<'a, O> {
    fn new(future: impl Future<Output = O> + 'a) -> Self {
        Self { future: Box::pin(future), woken: Rc::default(), polled: false }
    }

    fn poll(&mut self, poke: &'static dyn Fn()) -> Poll<O> {
        self.woken = Rc::default();
        self.polled = true;
        let poker = Rc::new(Poker { woken: self.woken.clone(), poke });
        // SAFETY: a counted pointer that the vtable counts; the run, and all that it wakes, stays on one thread.
        let waker = unsafe { Waker::from_raw(RawWaker::new(Rc::into_raw(poker).cast(), &VTABLE)) };
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn waits(&self) -> bool {
        self.polled && !self.woken.get()
    }
}

#[test]
fn a_watch_is_free_whenever_foreign_code_runs() {
    for_seeds(200, |seed| {
        let mut rng = Rng::new(seed);
        let watch: &'static Watch<u64, Checked> = Box::leak(Box::new(Watch::with_domain(0)));
        let poke: &'static dyn Fn() = Box::leak(Box::new(|| assert!(watch.get() <= watch.version())));
        let mut watchers: Vec<_> = (0..20).map(|_| watch.watcher()).collect();
        let mut waiting: Vec<_> = watchers.iter_mut().map(|watcher| Held::new(watcher.changed())).collect();
        let mut closed = false;
        for value in 1..20 {
            for _ in 0..rng.below(20) {
                let index = rng.below(waiting.len() as u64) as usize;
                if rng.below(12) == 0 || waiting[index].poll(poke).is_ready() {
                    drop(waiting.swap_remove(index));
                }
                if waiting.is_empty() {
                    return;
                }
            }
            match rng.below(12) {
                0 => {
                    closed = true;
                    assert!(watch.close());
                }
                // One is published at the end of the read, others replace each other until then.
                1 => watch.read(|_| {
                    watch.send(value).expect("open");
                    watch.read(|_| watch.send(value).expect("open"));
                }),
                _ => watch.send(value).expect("open"),
            }
            assert!(waiting.iter().all(|held| !held.waits()), "forgotten");
            if closed {
                break;
            }
        }
    });
}

#[test]
fn a_oneshot_is_free_whenever_foreign_code_runs() {
    for_seeds(200, |seed| {
        let mut rng = Rng::new(seed);
        let place: &'static Oneshot<u64, Checked> = Box::leak(Box::new(Oneshot::with_domain()));
        let poke: &'static dyn Fn() = Box::leak(Box::new(|| assert!(place.receiver().is_none())));
        for round in 0..40 {
            let mut receiver = place.receiver().expect("the last round is over");
            let mut sender = Some(place.sender().expect("the last round is over"));
            let mut sent = None;
            let mut recv = Held::new(receiver.recv());
            for _ in 0..rng.below(12) {
                match rng.below(6) {
                    0 => {
                        if let Some(sender) = sender.take() {
                            sender.send(round).expect("the receiver is there");
                            sent = Some(round);
                        }
                    }
                    1 => drop(sender.take()),
                    _ => {}
                }
                assert!(sender.is_some() || !recv.waits(), "forgotten");
                if let Poll::Ready(got) = recv.poll(poke) {
                    assert_eq!(got.ok(), sent);
                    break;
                }
                assert!(sender.is_some());
            }
            drop(recv);
        }
    });
}
