//! A future that a test polls, with a waker that notes its wake and comes back into the primitive.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// What a waker does in each of its functions.
pub type Poke = &'static dyn Fn();

/// Notes its wake, and pokes when it is cloned, woken or dropped.
struct Poker {
    woken: Rc<Cell<bool>>,
    poke: Poke,
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

/// The future, and whether it was woken since its last poll.
pub struct Held<F: ?Sized> {
    /// It.
    pub future: Pin<Box<F>>,
    /// What the test knows it by.
    pub id: u64,
    woken: Rc<Cell<bool>>,
    polled: bool,
}

impl<F: Future> Held<F> {
    /// Not polled yet.
    pub fn new(id: u64, future: F) -> Self {
        Self { future: Box::pin(future), id, woken: Rc::default(), polled: false }
    }

    /// Polls it with a waker of its own.
    pub fn poll(&mut self, poke: Poke) -> Poll<F::Output> {
        self.woken = Rc::default();
        self.polled = true;
        let poker = Rc::new(Poker { woken: self.woken.clone(), poke });
        // SAFETY: a counted pointer that the vtable counts; the run, and all that it wakes, stays on one thread.
        let waker = unsafe { Waker::from_raw(RawWaker::new(Rc::into_raw(poker).cast(), &VTABLE)) };
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Whether it was polled at all.
    pub fn polled(&self) -> bool {
        self.polled
    }

    /// Whether it was woken since its last poll.
    pub fn woken(&self) -> bool {
        self.woken.get()
    }

    /// Whether it was polled, and was not woken since.
    pub fn waits(&self) -> bool {
        self.polled && !self.woken.get()
    }
}
