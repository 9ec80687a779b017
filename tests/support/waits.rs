//! A primitive of the room of locks against a plain model: a state, and a queue of those who wait.

use crate::Rng;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use unboxed::sync::{Domain, RawLock};

/// A domain whose raw lock fails, instead of waiting for ever, when it is asked for twice.
#[derive(Debug)]
pub struct Checked;

/// See [`Checked`].
#[derive(Debug, Default)]
pub struct Once(Cell<bool>);

impl Domain for Checked {
    type Raw = Once;
}

// SAFETY: it is not Sync, and fails when it is held already.
unsafe impl RawLock for Once {
    const NEW: Self = Self(Cell::new(false));
    type Token = ();

    fn lock(&self) {
        assert!(!self.0.replace(true), "foreign code ran under the raw lock");
    }

    unsafe fn unlock(&self, (): ()) {
        assert!(self.0.replace(false), "unlocked twice");
    }
}

/// What a model must know of its primitive.
pub trait Model {
    /// What somebody asks for who comes now.
    fn request(&self, rng: &mut Rng) -> u32;
    /// Grants that, if the state allows.
    fn grant(&mut self, request: u32) -> Option<u32>;
    /// Whether that is granted also while others wait.
    fn overtakes(&self, _request: u32) -> bool {
        false
    }
    /// Takes back what was granted.
    fn give_back(&mut self, request: u32, answer: u32);
}

/// The primitive itself.
pub trait Real {
    /// What a ready future gives.
    type Guard: 'static;
    /// What its futures give.
    type Future: Future<Output = (Option<u32>, Option<Self::Guard>)> + 'static;
    /// A future that asks; its output may tell what was answered.
    fn ask(&'static self, request: u32) -> Self::Future;
    /// Takes without waiting, if it can be; None where the primitive has no such call.
    fn try_ask(&'static self, request: u32) -> Option<Option<Self::Guard>>;
    /// Comes back into the primitive without changing it, as a waker may.
    fn poke(&self);
}

/// A waker that logs its wakes, and pokes the primitive in each of its functions.
struct Poker {
    id: (usize, u32),
    log: Rc<RefCell<Vec<(usize, u32)>>>,
    poke: &'static dyn Fn(),
}

const VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: the data of each waker is a counted pointer, and all stays on one thread.
        let poker = unsafe { Rc::from_raw(data.cast::<Poker>()) };
        (poker.poke)();
        let clone = poker.clone();
        std::mem::forget(poker);
        RawWaker::new(Rc::into_raw(clone).cast(), &VTABLE)
    },
    |data| {
        // SAFETY: as above.
        let poker = unsafe { Rc::from_raw(data.cast::<Poker>()) };
        (poker.poke)();
        poker.log.borrow_mut().push(poker.id);
    },
    |_| unreachable!("nothing wakes by reference"),
    |data| {
        // SAFETY: as above.
        let poker = unsafe { Rc::from_raw(data.cast::<Poker>()) };
        (poker.poke)();
    },
);

enum Place {
    Fresh,
    Queued,
    Granted(u32),
}

struct Slot<R: Real> {
    future: Pin<Box<R::Future>>,
    request: u32,
    place: Place,
    waker: Waker,
    generation: u32,
}

/// Both, side by side.
pub struct Run<R: Real + 'static, M: Model> {
    /// The primitive.
    pub real: &'static R,
    /// What it should be like.
    pub model: M,
    /// What was got and is still held, with what was asked and answered.
    pub guards: Vec<(R::Guard, u32, u32)>,
    slots: Vec<Option<Slot<R>>>,
    queue: VecDeque<usize>,
    log: Rc<RefCell<Vec<(usize, u32)>>>,
    expected: Vec<(usize, u32)>,
    poke: &'static dyn Fn(),
}

impl<R: Real + 'static, M: Model> Run<R, M> {
    /// With so many futures at most.
    pub fn new(real: R, model: M, slots: usize) -> Self {
        let real: &'static R = Box::leak(Box::new(real));
        Self {
            real,
            model,
            guards: Vec::new(),
            slots: (0..slots).map(|_| None).collect(),
            queue: VecDeque::new(),
            log: Rc::default(),
            expected: Vec::new(),
            poke: Box::leak(Box::new(move || real.poke())),
        }
    }

    fn waker(&self, id: (usize, u32)) -> Waker {
        let poker = Rc::new(Poker { id, log: self.log.clone(), poke: self.poke });
        // SAFETY: a counted pointer that the vtable counts; the run, and all that it wakes, stays on one thread.
        unsafe { Waker::new(Rc::into_raw(poker).cast(), &VTABLE) }
    }

    /// One step that every primitive knows: ask, poll, drop a future, try.
    pub fn step(&mut self, rng: &mut Rng) {
        let index = rng.below(self.slots.len() as u64) as usize;
        match (&self.slots[index], rng.below(10)) {
            (None, 0) => self.try_ask(rng),
            (None, _) => self.ask(index, rng),
            (Some(_), 0..=1) => self.drop_future(index),
            (Some(_), draw) => self.poll(index, draw < 4),
        }
        self.check();
    }

    fn ask(&mut self, index: usize, rng: &mut Rng) {
        let request = self.model.request(rng);
        self.slots[index] = Some(Slot {
            future: Box::pin(self.real.ask(request)),
            request,
            place: Place::Fresh,
            waker: self.waker((index, 0)),
            generation: 0,
        });
        if rng.below(2) == 0 {
            self.poll(index, false);
        }
    }

    fn try_ask(&mut self, rng: &mut Rng) {
        let request = self.model.request(rng);
        let Some(got) = self.real.try_ask(request) else { return };
        let answer = if self.queue.is_empty() { self.model.grant(request) } else { None };
        assert_eq!(got.is_some(), answer == Some(0), "try");
        if let (Some(guard), Some(answer)) = (got, answer) {
            self.guards.push((guard, request, answer));
        }
    }

    fn poll(&mut self, index: usize, other_waker: bool) {
        let fresh = self.slots[index].as_ref().map(|slot| self.waker((index, slot.generation + 1)));
        let slot = self.slots[index].as_mut().expect("a future");
        if other_waker {
            slot.generation += 1;
            slot.waker = fresh.expect("a future");
        }
        let expected = match slot.place {
            Place::Granted(answer) => Some(answer),
            Place::Queued => None,
            Place::Fresh if self.queue.is_empty() || self.model.overtakes(slot.request) => {
                self.model.grant(slot.request)
            }
            Place::Fresh => None,
        };
        let polled = slot.future.as_mut().poll(&mut Context::from_waker(&slot.waker));
        match (polled, expected) {
            (Poll::Ready((answer, guard)), Some(expected)) => {
                assert!(answer.is_none_or(|answer| answer == expected), "{answer:?} is not {expected}");
                let request = slot.request;
                self.guards.extend(guard.map(|guard| (guard, request, expected)));
                self.slots[index] = None;
            }
            (Poll::Pending, None) => {
                if let Place::Fresh = slot.place {
                    slot.place = Place::Queued;
                    self.queue.push_back(index);
                }
            }
            (polled, expected) => panic!("ready: {}, expected {expected:?}", polled.is_ready()),
        }
    }

    fn drop_future(&mut self, index: usize) {
        let slot = self.slots[index].take().expect("a future");
        match slot.place {
            Place::Fresh => {}
            Place::Queued => self.queue.retain(|&queued| queued != index),
            Place::Granted(answer) => self.model.give_back(slot.request, answer),
        }
        drop(slot);
        self.settle();
    }

    /// Drops something that was got.
    pub fn release(&mut self, rng: &mut Rng) {
        if self.guards.is_empty() {
            return;
        }
        let index = rng.below(self.guards.len() as u64) as usize;
        let (guard, request, answer) = self.guards.swap_remove(index);
        self.model.give_back(request, answer);
        drop(guard);
        self.settle();
        self.check();
    }

    /// Serves the model's queue; to be called after the model's state was changed.
    pub fn settle(&mut self) {
        while let Some(&first) = self.queue.front() {
            let slot = self.slots[first].as_mut().expect("it is queued");
            let Some(answer) = self.model.grant(slot.request) else { return };
            slot.place = Place::Granted(answer);
            self.expected.push((first, slot.generation));
            self.queue.pop_front();
        }
    }

    /// Who was woken, in which order, and through which waker.
    pub fn check(&self) {
        assert_eq!(*self.log.borrow(), self.expected, "wakes");
    }

    /// Drops everything; the primitive must be free then.
    pub fn end(&mut self, rng: &mut Rng) {
        while self.slots.iter().any(Option::is_some) || !self.guards.is_empty() {
            let index = rng.below(self.slots.len() as u64) as usize;
            match &self.slots[index] {
                Some(_) => self.drop_future(index),
                None => self.release(rng),
            }
            self.check();
        }
    }
}
