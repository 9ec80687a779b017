//! Each lock against a plain model, under random polls, drops and wakes, with wakers that come back into it.
//!
//! `SEED=n` replays one run.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use unboxed::sync::{
    Acquire, Domain, Local, Lock, Mutex, MutexGuard, Notified, Notify, OnceCell, Permit, Read, RwLock,
    RwLockReadGuard, RwLockWriteGuard, Semaphore, TakeTurn, Tasks, Turn, Write,
};
use unboxed_tests::waits::{Checked, Model, Real, Run};
use unboxed_tests::{Rng, for_seeds};

const SEEDS: u64 = 300;
const STEPS: u64 = 400;
/// More than are woken in one batch.
const FUTURES: usize = 40;

/// A future with its output changed.
struct Map<F, G>(Pin<Box<F>>, G);

impl<F: Future, T, G: FnMut(F::Output) -> T + Unpin> Future for Map<F, G> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        this.0.as_mut().poll(cx).map(&mut this.1)
    }
}

type Mapped<F, T> = Map<F, fn(<F as Future>::Output) -> (Option<u32>, Option<T>)>;

/// A primitive.
struct Of<P>(P);

impl<P> std::ops::Deref for Of<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.0
    }
}

/// A run for each seed: `more` does what only this primitive knows, `free` looks at the end.
fn runs<R: Real + 'static, M: Model>(
    new: impl Fn() -> (R, M),
    more: impl Fn(&mut Run<R, M>, &mut Rng),
    free: impl Fn(&R, &M),
) {
    for_seeds(SEEDS, |seed| {
        let rng = &mut Rng::new(seed);
        let (real, model) = new();
        let futures = 1 + rng.below(FUTURES as u64) as usize;
        let mut run = Run::new(real, model, futures);
        // Some seeds let many gather before anything is released.
        let rate = 2 + rng.below(12);
        for _ in 0..STEPS {
            match rng.below(rate) {
                0 => more(&mut run, rng),
                1 => run.release(rng),
                _ => run.step(rng),
            }
        }
        run.end(rng);
        free(run.real, &run.model);
    });
}

impl<D: Domain> Real for Of<Mutex<u32, D>> {
    type Guard = MutexGuard<'static, u32, D>;
    type Future = Mapped<Lock<'static, u32, D>, Self::Guard>;

    fn ask(&'static self, _: u32) -> Self::Future {
        Map(Box::pin(self.lock()), |guard| (None, Some(guard)))
    }

    fn try_ask(&'static self, _: u32) -> Option<Option<Self::Guard>> {
        Some(self.try_lock())
    }

    fn poke(&self) {
        drop(self.try_lock());
    }
}

struct Locked(bool);

impl Model for Locked {
    fn request(&self, _: &mut Rng) -> u32 {
        0
    }

    fn grant(&mut self, _: u32) -> Option<u32> {
        (!std::mem::replace(&mut self.0, true)).then_some(0)
    }

    fn give_back(&mut self, _: u32, _: u32) {
        self.0 = false;
    }
}

fn mutex<D: Domain>() {
    let new = || (Of(Mutex::<u32, D>::with_domain(0)), Locked(false));
    let more = |run: &mut Run<Of<Mutex<u32, D>>, Locked>, _: &mut Rng| {
        for (guard, ..) in &mut run.guards {
            **guard += 1;
        }
    };
    runs(new, more, |real, _| assert!(real.try_lock().is_some()));
}

#[test]
fn mutex_as_its_model() {
    mutex::<Checked>();
    mutex::<Local>();
    mutex::<Tasks>();
}

impl<D: Domain> Real for Of<Semaphore<D>> {
    type Guard = Permit<'static, D>;
    type Future = Mapped<Acquire<'static, D>, Self::Guard>;

    fn ask(&'static self, request: u32) -> Self::Future {
        Map(Box::pin(self.acquire(request)), |got| (Some(u32::from(got.is_err())), got.ok()))
    }

    fn try_ask(&'static self, request: u32) -> Option<Option<Self::Guard>> {
        Some(self.try_acquire(request).ok())
    }

    fn poke(&self) {
        drop(self.try_acquire(1));
    }
}

struct Permits(u32, bool);

impl Model for Permits {
    fn request(&self, rng: &mut Rng) -> u32 {
        rng.below(6) as u32
    }

    fn grant(&mut self, request: u32) -> Option<u32> {
        if self.1 {
            return Some(1);
        }
        self.0 = self.0.checked_sub(request)?;
        Some(0)
    }

    fn give_back(&mut self, request: u32, answer: u32) {
        self.0 += request * (1 - answer);
    }
}

fn semaphore<D: Domain>() {
    let new = || (Of(Semaphore::<D>::with_domain(5)), Permits(5, false));
    let more = |run: &mut Run<Of<Semaphore<D>>, Permits>, rng: &mut Rng| {
        match rng.below(100) {
            0 => {
                run.model.1 = true;
                run.real.close();
            }
            draw @ 1..40 => {
                let some = (draw % 40) as u32;
                run.model.0 += some;
                run.real.add_permits(some);
            }
            _ => {
                if let Some((permit, ..)) = run.guards.pop() {
                    permit.forget();
                }
            }
        }
        run.settle();
        run.check();
    };
    runs(new, more, |real, model| assert_eq!((real.available(), real.is_closed()), (model.0, model.1)));
}

#[test]
fn semaphore_as_its_model() {
    semaphore::<Checked>();
    semaphore::<Local>();
    semaphore::<Tasks>();
}

#[expect(dead_code, reason = "they are only held")]
enum Side<D: Domain> {
    Read(RwLockReadGuard<'static, u32, D>),
    Write(RwLockWriteGuard<'static, u32, D>),
}

enum Ask<D: Domain> {
    Read(Pin<Box<Read<'static, u32, D>>>),
    Write(Pin<Box<Write<'static, u32, D>>>),
}

impl<D: Domain> Future for Ask<D> {
    type Output = (Option<u32>, Option<Side<D>>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Read(read) => read.as_mut().poll(cx).map(|guard| (None, Some(Side::Read(guard)))),
            Self::Write(write) => write.as_mut().poll(cx).map(|guard| (None, Some(Side::Write(guard)))),
        }
    }
}

impl<D: Domain> Real for Of<RwLock<u32, D>> {
    type Guard = Side<D>;
    type Future = Ask<D>;

    fn ask(&'static self, request: u32) -> Self::Future {
        if request == 1 { Ask::Write(Box::pin(self.write())) } else { Ask::Read(Box::pin(self.read())) }
    }

    fn try_ask(&'static self, request: u32) -> Option<Option<Self::Guard>> {
        Some(if request == 1 { self.try_write().map(Side::Write) } else { self.try_read().map(Side::Read) })
    }

    fn poke(&self) {
        drop(self.try_read());
        drop(self.try_write());
    }
}

#[derive(Default)]
struct Users {
    readers: u32,
    writer: bool,
}

impl Model for Users {
    fn request(&self, rng: &mut Rng) -> u32 {
        u32::from(rng.below(4) == 0)
    }

    fn grant(&mut self, request: u32) -> Option<u32> {
        match request {
            _ if self.writer => return None,
            1 if self.readers > 0 => return None,
            1 => self.writer = true,
            _ => self.readers += 1,
        }
        Some(0)
    }

    fn give_back(&mut self, request: u32, _: u32) {
        if request == 1 { self.writer = false } else { self.readers -= 1 }
    }
}

fn rwlock<D: Domain>() {
    let new = || (Of(RwLock::<u32, D>::with_domain(0)), Users::default());
    runs(new, |run, rng| run.release(rng), |real, _| assert!(real.try_write().is_some()));
}

#[test]
fn rwlock_as_its_model() {
    rwlock::<Checked>();
    rwlock::<Local>();
    rwlock::<Tasks>();
}

impl<D: Domain> Real for Of<Notify<D>> {
    type Guard = ();
    type Future = Mapped<Notified<'static, D>, ()>;

    fn ask(&'static self, _: u32) -> Self::Future {
        Map(Box::pin(self.notified()), |()| (None, None))
    }

    fn try_ask(&'static self, _: u32) -> Option<Option<()>> {
        None
    }

    fn poke(&self) {
        assert!(format!("{:?}", self.0).contains("stored"));
    }
}

#[derive(Default)]
struct Told {
    stored: bool,
    round: u32,
}

/// Answered 0 by a call for one, 1 by a call for all.
impl Model for Told {
    fn request(&self, _: &mut Rng) -> u32 {
        self.round
    }

    fn grant(&mut self, request: u32) -> Option<u32> {
        if request != self.round {
            return Some(1);
        }
        std::mem::take(&mut self.stored).then_some(0)
    }

    fn overtakes(&self, request: u32) -> bool {
        request != self.round
    }

    fn give_back(&mut self, _: u32, answer: u32) {
        self.stored |= answer == 0;
    }
}

fn notify<D: Domain>() {
    let more = |run: &mut Run<Of<Notify<D>>, Told>, rng: &mut Rng| {
        if rng.below(4) == 0 {
            run.model.round += 1;
            run.real.notify_all();
        } else {
            run.model.stored = true;
            run.real.notify_one();
        }
        run.settle();
        run.check();
    };
    runs(|| (Of(Notify::<D>::with_domain()), Told::default()), more, |_, _| ());
}

#[test]
fn notify_as_its_model() {
    notify::<Checked>();
    notify::<Local>();
    notify::<Tasks>();
}

impl<D: Domain> Real for Of<OnceCell<u32, D>> {
    type Guard = Turn<'static, u32, D>;
    type Future = Mapped<TakeTurn<'static, u32, D>, Self::Guard>;

    fn ask(&'static self, _: u32) -> Self::Future {
        Map(Box::pin(self.turn()), |got| (Some(u32::from(got.is_ok())), got.err()))
    }

    fn try_ask(&'static self, _: u32) -> Option<Option<Self::Guard>> {
        None
    }

    fn poke(&self) {
        // Takes the turn for a moment, if nobody has it.
        let mut turn = Box::pin(self.turn());
        let _ = turn.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
    }
}

#[derive(Default)]
struct Made {
    running: bool,
    set: bool,
}

/// Answered 0 with the turn, 1 with the value.
impl Model for Made {
    fn request(&self, _: &mut Rng) -> u32 {
        0
    }

    fn grant(&mut self, _: u32) -> Option<u32> {
        if self.set {
            return Some(1);
        }
        (!std::mem::replace(&mut self.running, true)).then_some(0)
    }

    fn give_back(&mut self, _: u32, answer: u32) {
        self.running &= answer != 0;
    }
}

fn once_cell<D: Domain>() {
    let more = |run: &mut Run<Of<OnceCell<u32, D>>, Made>, rng: &mut Rng| {
        if rng.below(12) == 0
            && let Some((turn, ..)) = run.guards.pop()
        {
            (run.model.running, run.model.set) = (false, true);
            assert_eq!(*turn.set(7), 7);
            run.settle();
        }
        let set = run.model.set;
        assert_eq!(run.real.get(), set.then_some(&7));
        if set || run.model.running {
            run.real.set(8).expect_err("there is one, or it is being made");
        }
        run.check();
    };
    runs(|| (Of(OnceCell::<u32, D>::with_domain()), Made::default()), more, |_, _| ());
}

#[test]
fn once_cell_as_its_model() {
    once_cell::<Checked>();
    once_cell::<Local>();
    once_cell::<Tasks>();
}
