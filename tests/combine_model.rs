//! `select` and `join` over channels, under random polls, drops and cancels: nothing is lost or doubled, a select ends
//! with its losers let go, and nobody sleeps beside what it waits for. The wakers come back into the channels.
//! `SEED=n` replays one run.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use unboxed::channel::{Channel, Receiving, RecvError, SendError, Sending};
use unboxed::combine::{Selected, join2, join3, join4, select2, select3, select4};
use unboxed::op::Operation;
use unboxed_tests::held::{Held, Poke};
use unboxed_tests::waits::Checked;
use unboxed_tests::{Dropped, Drops, Rng, for_seeds};

const PLACES: usize = 2;
type Value = (u64, Dropped);
type Queue = Channel<Value, PLACES, Checked>;

enum Op {
    Recv(Pin<Box<Receiving<'static, Value, PLACES, Checked>>>),
    Send(Pin<Box<Sending<'static, Value, PLACES, Checked>>>),
}

#[derive(Debug)]
enum Out {
    Received(Result<Value, RecvError>),
    Sent(Result<(), SendError<Value>>),
}

impl Future for Op {
    type Output = Out;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Out> {
        match &mut *self {
            Self::Recv(recv) => recv.as_mut().poll(cx).map(Out::Received),
            Self::Send(send) => send.as_mut().poll(cx).map(Out::Sent),
        }
    }
}

impl Operation for Op {
    fn request_cancel(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        match &mut *self {
            Self::Recv(recv) => recv.as_mut().request_cancel(cx),
            Self::Send(send) => send.as_mut().request_cancel(cx),
        }
    }

    fn was_cancelled(output: &Out) -> bool {
        matches!(output, Out::Received(Err(RecvError::Cancelled)) | Out::Sent(Err(SendError::Cancelled(_))))
    }
}

/// Which ended first, of a select, and all outputs.
type End = (Option<usize>, Vec<Out>);

/// A select or a join, whatever its arity.
trait Combined {
    fn poll(&mut self, poke: Poke) -> Poll<End>;
    fn cancel(&mut self);
    fn waits(&self) -> bool;
}

struct Of<F: Future>(Held<F>, fn(F::Output) -> End);

impl<F: Operation> Combined for Of<F> {
    fn poll(&mut self, poke: Poke) -> Poll<End> {
        self.0.poll(poke).map(self.1)
    }

    fn cancel(&mut self) {
        self.0.future.as_mut().request_cancel(&mut Context::from_waker(Waker::noop()));
    }

    fn waits(&self) -> bool {
        self.0.waits()
    }
}

fn of<F: Operation + 'static>(future: F, end: fn(F::Output) -> End) -> Box<dyn Combined> {
    Box::new(Of(Held::new(0, future), end))
}

struct Combo {
    future: Box<dyn Combined>,
    selects: bool,
    /// The channel of each branch, and whether that receives.
    branches: Vec<(usize, bool)>,
}

struct Run {
    queues: &'static [Queue; 3],
    poke: Poke,
    combos: Vec<Combo>,
    drops: Drops,
    made: u64,
    received: HashSet<u64>,
}

impl Run {
    fn new() -> Self {
        let queues: &'static [Queue; 3] = Box::leak(Box::new([(); 3].map(|()| Queue::with_domain())));
        let poke: Poke = Box::leak(Box::new(|| assert!(queues.iter().all(|queue| queue.len() <= PLACES))));
        Self { queues, poke, combos: Vec::new(), drops: Drops::default(), made: 0, received: HashSet::new() }
    }

    fn value(&mut self) -> Value {
        self.made += 1;
        (self.made, self.drops.value())
    }

    fn begin(&mut self, rng: &mut Rng) {
        let arity = 2 + rng.below(3) as usize;
        let branches: Vec<_> = (0..arity).map(|_| (rng.below(3) as usize, rng.below(2) == 0)).collect();
        let queues = self.queues;
        let mut ops: Vec<_> = branches
            .iter()
            .map(|&(at, receives)| {
                let queue = &queues[at];
                if receives {
                    Op::Recv(Box::pin(queue.recv()))
                } else {
                    Op::Send(Box::pin(queue.send(self.value())))
                }
            })
            .collect();
        let mut op = || ops.remove(0);
        let selects = rng.below(2) == 0;
        let future = match (selects, arity) {
            (true, 2) => {
                of(select2(op(), op()), |Selected { first, outputs: (a, b) }| (Some(first), vec![a, b]))
            }
            (true, 3) => of(select3(op(), op(), op()), |Selected { first, outputs: (a, b, c) }| {
                (Some(first), vec![a, b, c])
            }),
            (true, _) => of(select4(op(), op(), op(), op()), |Selected { first, outputs: (a, b, c, d) }| {
                (Some(first), vec![a, b, c, d])
            }),
            (false, 2) => of(join2(op(), op()), |(a, b)| (None, vec![a, b])),
            (false, 3) => of(join3(op(), op(), op()), |(a, b, c)| (None, vec![a, b, c])),
            (false, _) => of(join4(op(), op(), op(), op()), |(a, b, c, d)| (None, vec![a, b, c, d])),
        };
        self.combos.push(Combo { future, selects, branches });
    }

    fn poll(&mut self, at: usize, cancelled: bool) -> bool {
        let Poll::Ready((first, outputs)) = self.combos[at].future.poll(self.poke) else { return false };
        let combo = self.combos.swap_remove(at);
        assert_eq!(combo.selects, first.is_some());
        if let Some(first) = first
            && !cancelled
        {
            assert!(!Op::was_cancelled(&outputs[first]), "the first one was not cancelled");
        }
        for (output, (_, receives)) in outputs.into_iter().zip(combo.branches) {
            assert!(cancelled || combo.selects || !Op::was_cancelled(&output), "a join cancels nothing");
            match output {
                Out::Received(got) => {
                    assert!(receives);
                    got.into_iter().for_each(|value| self.took(&value));
                }
                Out::Sent(_) => assert!(!receives),
            }
        }
        true
    }

    fn took(&mut self, value: &Value) {
        assert!(self.received.insert(value.0), "received twice");
    }

    /// Polls whoever was woken, until nobody is; then nobody may sleep beside what it waits for.
    fn settle(&mut self) {
        let mut at = 0;
        while at < self.combos.len() {
            if self.combos[at].future.waits() {
                at += 1;
            } else {
                self.poll(at, false);
                at = 0;
            }
        }
        for combo in &self.combos {
            let mut idle = combo.branches.iter().map(|&(at, receives)| {
                let queue = &self.queues[at];
                !queue.is_closed() && queue.len() == if receives { 0 } else { PLACES }
            });
            // A join may have some behind it.
            let asleep = if combo.selects { idle.all(|idle| idle) } else { idle.any(|idle| idle) };
            assert!(asleep, "forgotten: {:?}", combo.branches);
        }
    }

    fn step(&mut self, rng: &mut Rng) {
        let pick = (!self.combos.is_empty()).then(|| rng.below(self.combos.len() as u64) as usize);
        match (rng.below(12), pick) {
            (0..=1, _) | (_, None) => self.begin(rng),
            (2, Some(at)) => drop(self.combos.swap_remove(at)),
            (3, Some(at)) => {
                self.combos[at].future.cancel();
                assert!(self.poll(at, true), "a cancelled one ends at once");
            }
            (4, _) => {
                let value = self.value();
                let _ = self.queues[rng.below(3) as usize].try_send(value);
            }
            (5, _) => {
                if let Ok(value) = self.queues[rng.below(3) as usize].try_recv() {
                    self.took(&value);
                }
            }
            (6, _) if rng.below(8) == 0 => self.settle(),
            (_, Some(at)) => drop(self.poll(at, false)),
        }
    }
}

#[test]
fn selects_and_joins_of_channels() {
    for_seeds(400, |seed| {
        let mut rng = Rng::new(seed);
        let mut run = Run::new();
        for _ in 0..300 {
            run.step(&mut rng);
        }
        run.settle();
        run.queues.iter().for_each(|queue| assert!(queue.close()));
        run.settle();
        assert!(run.combos.is_empty(), "a close ends everything");
        for queue in run.queues {
            while let Ok(value) = queue.try_recv() {
                run.took(&value);
            }
        }
        assert_eq!(run.drops.count() as u64, run.made, "each value is dropped once");
    });
}
