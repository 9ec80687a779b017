//! Models of the once cell: one initialiser at a time, seen by all, and one that goes.

use super::{OnceCell, State, Tasks, Turn, step};
use crate::atomics::Ordering;
use crate::support_loom::{Plain, explore, poll_once, when_woken};
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

struct Room {
    cell: OnceCell<Plain, Tasks>,
    /// Written by initialisers only.
    made: Plain,
}

type Shared = Arc<Room>;

fn shared() -> Shared {
    Arc::new(Room { cell: OnceCell::with_domain(), made: Plain::new(0) })
}

fn spawn<R: 'static>(shared: &Shared, run: impl FnOnce(Shared) -> R + 'static) -> thread::JoinHandle<R> {
    let shared = shared.clone();
    thread::spawn(move || run(shared))
}

async fn get(shared: &Shared) -> u32 {
    let make = async || {
        shared.made.set(shared.made.get() + 1);
        Plain::new(7)
    };
    shared.cell.get_or_init(make).await.get()
}

#[test]
fn it_is_made_once_and_seen_by_both() {
    explore(|| {
        let shared = shared();
        let other = spawn(&shared, |shared| block_on(get(&shared)));
        assert_eq!(block_on(get(&shared)), 7);
        assert_eq!(other.join().unwrap(), 7);
        assert_eq!(shared.made.get(), 1);
    });
}

#[test]
fn who_only_looks_sees_all_or_nothing() {
    explore(|| {
        let shared = shared();
        let other = spawn(&shared, |shared| shared.cell.set(Plain::new(7)).is_ok());
        if let Some(value) = shared.cell.get() {
            assert_eq!(value.get(), 7);
        }
        assert!(other.join().unwrap());
    });
}

/// An initialiser that is dropped passes the turn on.
#[test]
fn an_initialiser_that_goes_passes_the_turn_on() {
    explore(|| {
        let shared = shared();
        let other = spawn(&shared, |shared| block_on(get(&shared)));
        {
            let never = || poll_fn(|_| Poll::<Plain>::Pending);
            let mut future = pin!(shared.cell.get_or_init(never));
            let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        assert_eq!(other.join().unwrap(), 7);
    });
}

/// Somebody has the turn, and gives it up while another comes for it.
fn a_turn_is_given_up(give_up: fn(Turn<'_, Plain, Tasks>)) {
    explore(move || {
        let shared = shared();
        let Poll::Ready(Err(turn)) = poll_once(pin!(shared.cell.turn())) else { panic!("free") };
        let next = spawn(&shared, |shared| {
            let woken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
            let waker = {
                let woken = woken.clone();
                when_woken(move || woken.store(true, std::sync::atomic::Ordering::SeqCst))
            };
            let mut turn = Box::pin(shared.cell.turn());
            let first = turn.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            // What is left is the model's to look at when the other has ended.
            std::mem::forget(turn);
            (first, woken)
        });
        give_up(turn);
        let (first, woken) = next.join().unwrap();
        assert!(first || woken.load(std::sync::atomic::Ordering::SeqCst), "lost turn");
    });
}

#[test]
fn a_turn_that_is_given_up_goes_to_the_next() {
    a_turn_is_given_up(|turn| drop(turn));
}

/// The seeded bug: the next one is looked for before the turn is free.
#[test]
#[should_panic(expected = "lost turn")]
fn a_turn_given_up_in_two_steps_is_lost() {
    a_turn_is_given_up(|turn| {
        let cell = turn.cell();
        core::mem::forget(turn);
        cell.state.serve_before_the_change(|inner| inner.state = State::Empty, step);
    });
}

fn a_waker_comes_back(give_up: fn(Turn<'_, Plain, Tasks>)) {
    explore(move || {
        let shared = shared();
        let Poll::Ready(Err(turn)) = poll_once(pin!(shared.cell.turn())) else { panic!("free") };
        let mut next = pin!(shared.cell.turn());
        let waker = {
            let shared = shared.clone();
            when_woken(move || assert!(shared.cell.set(Plain::new(1)).is_err()))
        };
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        give_up(turn);
        assert!(matches!(poll_once(next), Poll::Ready(Err(_))));
    });
}

#[test]
fn a_waker_may_come_back() {
    a_waker_comes_back(|turn| drop(turn));
}

/// WAIT-2 broken.
#[test]
#[should_panic(expected = "maximum number of branches")]
fn a_wake_under_the_lock_does_not_end() {
    a_waker_comes_back(|turn| {
        let cell = turn.cell();
        core::mem::forget(turn);
        cell.state.serve_under_the_lock(|inner| inner.state = State::Empty, step);
    });
}

/// The seeded bug: the value is announced before it is written.
#[test]
#[should_panic]
fn the_value_is_written_before_it_is_announced() {
    explore(|| {
        let shared = shared();
        let other = spawn(&shared, |shared| shared.cell.announce_too_early(Plain::new(7)));
        if let Some(value) = shared.cell.get() {
            assert_eq!(value.get(), 7);
        } else if shared.cell.is_announced() {
            panic!("announced without a value");
        }
        other.join().unwrap();
    });
}

/// The seeded bug.
impl OnceCell<Plain, Tasks> {
    fn announce_too_early(&self, value: Plain) {
        self.ready.store(true, Ordering::Release);
        // SAFETY: not at all, but loom ends the model first.
        unsafe { *self.value.get() = Some(value) };
    }

    fn is_announced(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}
