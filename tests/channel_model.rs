//! The channel against a `VecDeque`, under random interleavings of its futures' polls, drops, cancels and wakes, with
//! wakers that come back into it.
//! A failure names its seed; `SEED=n` runs that one alone.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use unboxed::channel::{Channel, Receiving, RecvError, SendError, Sending};
use unboxed::op::Operation;
use unboxed::sync::{Domain, Local, Tasks};
use unboxed_tests::held::{Held, Poke};
use unboxed_tests::waits::Checked;
use unboxed_tests::{Dropped, Drops, Rng, for_seeds};

type Value = (u64, Dropped);

/// What the channel must look like from outside: the values, and who waits to send, in order.
#[derive(Default)]
struct Model {
    values: VecDeque<u64>,
    waiting: VecDeque<u64>,
    sent: Vec<u64>,
    closed: bool,
}

struct Run<const N: usize, D: Domain> {
    channel: &'static Channel<Value, N, D>,
    /// Comes back into the channel, from every function of every waker.
    poke: Poke,
    model: Model,
    senders: Vec<Held<Sending<'static, Value, N, D>>>,
    receivers: Vec<Held<Receiving<'static, Value, N, D>>>,
    drops: Drops,
    made: u64,
    got: Vec<u64>,
}

impl<const N: usize, D: Domain> Run<N, D> {
    fn value(&mut self) -> Value {
        self.made += 1;
        (self.made, self.drops.value())
    }

    fn took(&mut self, value: &Value) {
        assert_eq!(Some(value.0), self.model.values.pop_front(), "out of order");
        self.got.push(value.0);
        if !self.model.closed
            && let Some(next) = self.model.waiting.pop_front()
        {
            self.model.values.push_back(next);
            self.model.sent.push(next);
        }
    }

    fn full(&self) -> bool {
        self.model.values.len() == N
    }

    fn free_values(&self) -> usize {
        let aside = self.receivers.iter().filter(|r| r.polled() && r.woken()).count();
        self.model.values.len().saturating_sub(aside)
    }

    fn poll_sender(&mut self, at: usize) {
        let (full, id) = (self.full(), self.senders[at].id);
        let first = !self.senders[at].polled();
        match self.senders[at].poll(self.poke) {
            Poll::Pending => {
                assert!(full && !self.model.closed, "a send waits for nothing");
                if first {
                    self.model.waiting.push_back(id);
                }
                assert!(self.model.waiting.contains(&id), "a send is not told that it is sent");
            }
            Poll::Ready(Ok(())) => {
                if first {
                    assert!(!full && !self.model.closed, "a send without room");
                    self.model.values.push_back(id);
                } else {
                    assert!(self.model.sent.contains(&id), "a send that was not received");
                }
                self.senders.swap_remove(at);
            }
            Poll::Ready(Err(SendError::Closed(value))) => {
                assert!(self.model.closed && value.0 == id);
                self.senders.swap_remove(at);
            }
            Poll::Ready(Err(other)) => panic!("{other:?}"),
        }
    }

    fn poll_receiver(&mut self, at: usize) {
        let first = !self.receivers[at].polled();
        let woken = self.receivers[at].woken();
        let free = self.free_values();
        match self.receivers[at].poll(self.poke) {
            Poll::Pending => assert!(!woken && (!first || free == 0), "a value that nobody gets"),
            Poll::Ready(Ok(value)) => {
                assert!(if first { free > 0 } else { woken }, "overtaken");
                self.took(&value);
                self.receivers.swap_remove(at);
            }
            Poll::Ready(Err(error)) => {
                assert_eq!(error, RecvError::Closed);
                assert!(self.model.closed && self.model.values.is_empty(), "closed with values left");
                self.receivers.swap_remove(at);
            }
        }
    }

    fn cancel_sender(&mut self, at: usize) {
        let mut held = self.senders.swap_remove(at);
        let mut cx = Context::from_waker(Waker::noop());
        held.future.as_mut().request_cancel(&mut cx);
        match held.future.as_mut().poll(&mut cx) {
            Poll::Ready(Ok(())) => assert!(self.model.sent.contains(&held.id)),
            Poll::Ready(Err(SendError::Cancelled(value) | SendError::Closed(value))) => {
                assert_eq!(value.0, held.id);
                assert!(!self.model.sent.contains(&held.id), "sent and given back");
                self.model.waiting.retain(|id| *id != held.id);
            }
            other => panic!("{other:?}"),
        }
    }

    fn cancel_receiver(&mut self, at: usize) {
        let mut held = self.receivers.swap_remove(at);
        let mut cx = Context::from_waker(Waker::noop());
        held.future.as_mut().request_cancel(&mut cx);
        match held.future.as_mut().poll(&mut cx) {
            Poll::Ready(Ok(value)) => self.took(&value),
            Poll::Ready(Err(RecvError::Cancelled)) => assert!(!held.woken(), "a value lost to a cancel"),
            Poll::Ready(Err(RecvError::Closed)) => assert!(self.model.closed),
            other => panic!("{other:?}"),
        }
    }

    fn step(&mut self, rng: &mut Rng, close: bool) {
        let pick = |rng: &mut Rng, len: usize| (len > 0).then(|| rng.below(len as u64) as usize);
        match rng.below(12) {
            0 | 1 => {
                let value = self.value();
                self.senders.push(Held::new(value.0, self.channel.send(value)));
            }
            2 | 3 => self.receivers.push(Held::new(0, self.channel.recv())),
            4 | 5 => drop(pick(rng, self.senders.len()).map(|at| self.poll_sender(at))),
            6 | 7 => drop(pick(rng, self.receivers.len()).map(|at| self.poll_receiver(at))),
            8 => match pick(rng, self.senders.len()) {
                Some(at) if rng.below(2) == 0 => self.cancel_sender(at),
                Some(at) => {
                    let id = self.senders.swap_remove(at).id;
                    self.model.waiting.retain(|waiting| *waiting != id);
                }
                None => {}
            },
            9 => match pick(rng, self.receivers.len()) {
                Some(at) if rng.below(2) == 0 => self.cancel_receiver(at),
                Some(at) => drop(self.receivers.swap_remove(at)),
                None => {}
            },
            10 => {
                let (full, value) = (self.full(), self.value());
                match self.channel.try_send(value) {
                    Ok(()) => {
                        assert!(!full && !self.model.closed);
                        self.model.values.push_back(self.made);
                    }
                    Err(SendError::Full(value)) => assert!(full && value.0 == self.made),
                    Err(SendError::Closed(value)) => assert!(self.model.closed && value.0 == self.made),
                    Err(other) => panic!("{other:?}"),
                }
            }
            _ if close && rng.below(20) == 0 => {
                assert_eq!(self.channel.close(), !self.model.closed);
                self.model.closed = true;
                self.model.waiting.clear();
                assert!(
                    self.senders.iter().all(|s| !s.polled() || s.woken()),
                    "a sender not told of the close"
                );
            }
            _ => {
                let free = self.free_values();
                match self.channel.try_recv() {
                    Ok(value) => {
                        assert!(free > 0);
                        self.took(&value);
                    }
                    Err(RecvError::Empty) => assert_eq!(free, 0),
                    Err(error) => assert!(error == RecvError::Closed && self.model.closed),
                }
            }
        }
        assert_eq!(self.channel.len(), self.model.values.len());
        // Whoever waits unwoken waits for something that is not there.
        let idle = self.receivers.iter().any(|r| r.polled() && !r.woken());
        assert!(!idle || self.free_values() == 0, "a receiver waits beside a value");
        assert!(!(idle && self.model.closed && self.model.values.is_empty()), "a receiver waits for ever");
        let waits = self.senders.iter().any(|s| s.polled() && !s.woken());
        assert!(!waits || self.full(), "a sender waits beside room");
    }
}

fn run<const N: usize, D: Domain>(seed: u64) {
    let mut rng = Rng::new(seed);
    let drops = Drops::default();
    let made = {
        let place: *mut Channel<Value, N, D> = Box::into_raw(Box::default());
        // SAFETY: it is given back when the run is over.
        let channel: &'static Channel<Value, N, D> = unsafe { &*place };
        let mut run = Run {
            channel,
            poke: Box::leak(Box::new(|| assert!(channel.len() <= N))),
            model: Model::default(),
            senders: Vec::new(),
            receivers: Vec::new(),
            drops: drops.clone(),
            made: 0,
            got: Vec::new(),
        };
        let close = rng.below(2) == 0;
        for _ in 0..400 {
            run.step(&mut rng, close);
        }
        let made = run.made as usize;
        drop(run);
        // SAFETY: nothing borrows it any more; its waker's pokes are over.
        drop(unsafe { Box::from_raw(place) });
        made
    };
    assert_eq!(drops.count(), made, "each value is dropped once");
}

#[test]
fn a_channel_agrees_with_a_deque() {
    for_seeds(300, |seed| {
        run::<1, Checked>(seed);
        run::<2, Checked>(seed);
        run::<1, Tasks>(seed);
        run::<2, Tasks>(seed);
        run::<5, Tasks>(seed);
        run::<1, Local>(seed);
        run::<3, Local>(seed);
    });
}
