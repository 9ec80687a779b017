//! Models of a plain thread that blocks: against its waker, against another that shares the word, and against time.

use super::{AtomicU32, Ordering, ParkingWord, fence};
use crate::support_loom::{Plain, explore};
use crate::sync::{Lock, Mutex, Semaphore, Threads};
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use loom::sync::{Arc, Condvar, Mutex as LoomMutex};
use loom::thread;

/// The kernel's part: it compares and puts to sleep under one lock, and wakes under the same.
struct Kernel {
    sleep: LoomMutex<Sleep>,
    told: Condvar,
}

#[derive(Default)]
struct Sleep {
    asleep: Vec<usize>,
    /// Nobody sleeps any more; who slept then, or would later, is late.
    over: bool,
    late: Vec<usize>,
}

impl Kernel {
    fn wait(&self, word: &AtomicU32, seen: u32, thread: usize) -> bool {
        let mut sleep = self.sleep.lock().unwrap();
        if word.load(Ordering::SeqCst) != seen {
            return true;
        }
        if sleep.over {
            sleep.late.push(thread);
            return false;
        }
        sleep.asleep.push(thread);
        while sleep.asleep.contains(&thread) {
            sleep = self.told.wait(sleep).unwrap();
        }
        !sleep.late.contains(&thread)
    }

    fn change<R>(&self, change: impl FnOnce(&mut Sleep) -> R) -> R {
        let result = change(&mut self.sleep.lock().unwrap());
        self.told.notify_all();
        result
    }

    fn wake(&self) {
        self.change(|sleep| sleep.asleep.clear());
    }

    fn wake_one(&self) {
        self.change(|sleep| drop(sleep.asleep.drain(..1.min(sleep.asleep.len()))));
    }

    /// Ends all sleep: every wake has come that will, or the time is over.
    fn end(&self) {
        self.change(|sleep| {
            sleep.over = true;
            let asleep = std::mem::take(&mut sleep.asleep);
            sleep.late.extend(asleep);
        });
    }

    fn is_late(&self, thread: usize) -> bool {
        self.change(|sleep| sleep.late.contains(&thread))
    }
}

struct Parking {
    word: ParkingWord,
    kernel: Kernel,
    wake: fn(&ParkingWord, &Kernel),
}

type Shared = std::sync::Arc<Parking>;

fn parking(wake: fn(&ParkingWord, &Kernel)) -> Shared {
    let kernel = Kernel { sleep: LoomMutex::default(), told: Condvar::new() };
    Shared::new(Parking { word: ParkingWord::new(), kernel, wake })
}

impl std::task::Wake for Parking {
    fn wake(self: Shared) {
        (self.wake)(&self.word, &self.kernel);
    }
}

impl Parking {
    fn block<F: Future>(self: &Shared, thread: usize, future: Pin<&mut F>) -> Option<F::Output> {
        let waker = Waker::from(self.clone());
        self.word.block(future, &waker, |word, seen| self.kernel.wait(word, seen, thread))
    }

    /// PARKING-2 broken: reads what it has seen after the poll, so that the wake for this poll counts as an old one.
    fn block_looking_late<F: Future>(
        self: &Shared,
        thread: usize,
        mut future: Pin<&mut F>,
    ) -> Option<F::Output> {
        let waker = Waker::from(self.clone());
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        let seen = self.word.wakes.load(Ordering::SeqCst);
        self.word.sleep(|word| self.kernel.wait(word, seen, thread));
        self.block(thread, future)
    }
}

fn wake(word: &ParkingWord, kernel: &Kernel) {
    word.wake(|_| kernel.wake());
}

/// PARKING-2 broken: looks for sleepers before it counts.
fn wake_looking_early(word: &ParkingWord, kernel: &Kernel) {
    let somebody = word.sleepers.load(Ordering::SeqCst) != 0;
    fence(Ordering::SeqCst);
    word.wakes.fetch_add(1, Ordering::SeqCst);
    if somebody {
        kernel.wake();
    }
}

/// PARKING-2 broken: nothing makes one side see the other.
fn wake_without_fence(word: &ParkingWord, kernel: &Kernel) {
    word.wakes.fetch_add(1, Ordering::Release);
    if word.sleepers.load(Ordering::Relaxed) != 0 {
        kernel.wake();
    }
}

/// PARKING-1 broken: wakes one of those who share the word, perhaps the wrong one.
fn wake_one(word: &ParkingWord, kernel: &Kernel) {
    word.wake(|_| kernel.wake_one());
}

/// A mutex is held, another thread blocks on it, and it is unlocked.
fn a_thread_blocks(wake: fn(&ParkingWord, &Kernel), looks_late: bool) {
    explore(move || {
        let shared = Arc::new((Mutex::<(), Threads>::with_domain(()), Plain::new(0)));
        let guard = shared.0.try_lock();
        let parking = parking(wake);
        let other = {
            let (shared, parking) = (shared.clone(), parking.clone());
            thread::spawn(move || {
                let lock = pin!(shared.0.lock());
                let got =
                    if looks_late { parking.block_looking_late(0, lock) } else { parking.block(0, lock) };
                got.map(|_guard| shared.1.get())
            })
        };
        shared.1.set(1);
        drop(guard);
        parking.kernel.end();
        let got = other.join().unwrap();
        assert!(!parking.kernel.is_late(0), "forgotten");
        assert_eq!(got, Some(1));
        assert!(shared.0.try_lock().is_some());
    });
}

#[test]
fn a_thread_that_blocks_is_woken() {
    a_thread_blocks(wake, false);
}

#[test]
#[should_panic(expected = "forgotten")]
fn a_waker_that_looks_for_sleepers_first_forgets_one() {
    a_thread_blocks(wake_looking_early, false);
}

#[test]
#[should_panic(expected = "forgotten")]
fn without_the_fence_a_sleeper_is_forgotten() {
    a_thread_blocks(wake_without_fence, false);
}

#[test]
#[should_panic(expected = "forgotten")]
fn a_thread_that_looks_after_its_poll_misses_the_wake() {
    a_thread_blocks(wake, true);
}

/// Two threads on one word, of which one is told.
fn two_share_a_word(wake: fn(&ParkingWord, &Kernel)) {
    explore(move || {
        let permits = Arc::new([(); 2].map(|()| Semaphore::<Threads>::with_domain(0)));
        let parking = parking(wake);
        let others = [0, 1].map(|index| {
            let (permits, parking) = (permits.clone(), parking.clone());
            thread::spawn(move || drop(parking.block(index, pin!(permits[index].acquire(1)))))
        });
        permits[0].add_permits(1);
        parking.kernel.end();
        for other in others {
            other.join().unwrap();
        }
        assert!(!parking.kernel.is_late(0), "forgotten");
    });
}

#[test]
fn the_right_one_of_two_that_share_a_word_is_woken() {
    two_share_a_word(wake);
}

#[test]
#[should_panic(expected = "forgotten")]
fn waking_one_of_two_wakes_the_wrong_one() {
    two_share_a_word(wake_one);
}

/// The time is over while the mutex is being handed over: it is got, or the next one can have it.
fn time_against_hand_over(gives_up: fn(Pin<Box<Lock<'_, (), Threads>>>)) {
    explore(move || {
        let mutex = Arc::new(Mutex::<(), Threads>::with_domain(()));
        let guard = mutex.try_lock();
        let parking = parking(wake);
        let other = {
            let (mutex, parking) = (mutex.clone(), parking.clone());
            thread::spawn(move || {
                let mut lock = Box::pin(mutex.lock());
                if parking.block(0, lock.as_mut()).is_none() {
                    gives_up(lock);
                }
            })
        };
        let clock = thread::spawn(move || parking.kernel.end());
        drop(guard);
        other.join().unwrap();
        clock.join().unwrap();
        assert!(mutex.try_lock().is_some(), "lost hand-over");
    });
}

#[test]
fn a_hand_over_that_comes_too_late_is_passed_on() {
    time_against_hand_over(|lock| drop(lock));
}

#[test]
#[should_panic(expected = "lost hand-over")]
fn who_gives_up_must_pass_on_what_came() {
    time_against_hand_over(|lock| std::mem::forget(lock));
}
