//! Models of who is called: with the real counts, parkers and rings, nobody sleeps for ever over work that is left.
//!
//! Each worker takes once, and is busy with that for good: so the work that it leaves needs another. Who sleeps for
//! ever is a deadlock, which loom reports.

use super::calls::{Calls, Sleepers};
use super::park::Parker;
use crate::queue::{Least, StealQueue};
use crate::support_loom::{Plain, explore_within};
use core::mem::{ManuallyDrop, take};
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    /// The searcher leaves the count after its announcement.
    LeavesTooLate,
    /// The pusher looks at the counts without a fence.
    NoFence,
    /// The last searcher goes with its work and calls nobody.
    CallsNobody,
    /// A called worker does not end the search that was counted for it.
    KeepsTheCount,
    /// The sleeper does not look at the others once more.
    NoSecondLook,
    /// Who leaves another unwatched does not look again.
    NoLookAtWork,
    /// Who comes back calls nobody.
    ComesBackSilently,
}

/// An eventfd: rings add up until they are heard.
struct Bell {
    rings: Mutex<u32>,
    more: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rings.lock().unwrap() += 1;
        self.more.notify_one();
    }

    fn hear(&self) {
        let mut rings = self.rings.lock().unwrap();
        while take(&mut *rings) == 0 {
            rings = self.more.wait(rings).unwrap();
        }
    }
}

struct Worker {
    parker: Parker,
    bell: Bell,
}

/// Two workers who may take, and where work comes from: the ring of a third, and the injector's length.
struct Set {
    bug: Bug,
    calls: Calls,
    workers: [Worker; 2],
    ring: StealQueue<Plain, 4>,
    nodes: [Plain; 4],
    injected: AtomicU32,
    /// The third's.
    at_work: AtomicBool,
}

impl Sleepers for Set {
    fn call_one(&self) -> bool {
        let called = self.workers.iter().find(|worker| worker.parker.call());
        called.map(|worker| worker.bell.ring()).is_some()
    }

    fn any_sleeps(&self) -> bool {
        self.workers.iter().any(|worker| worker.parker.is_sleeping())
    }
}

impl Set {
    fn new(bug: Bug) -> ManuallyDrop<Arc<Self>> {
        let worker =
            || Worker { parker: Parker::new(), bell: Bell { rings: Mutex::new(0), more: Condvar::new() } };
        // Loom cannot drop its objects while it unwinds from a deadlock.
        ManuallyDrop::new(Arc::new(Self {
            bug,
            calls: Calls::new(),
            workers: [worker(), worker()],
            ring: StealQueue::new(),
            nodes: [1; 4].map(Plain::new),
            injected: AtomicU32::new(0),
            at_work: AtomicBool::new(false),
        }))
    }

    fn notify(&self) {
        if self.bug != Bug::NoFence {
            return self.calls.notify(self);
        }
        if self.calls.sleeping.load(Ordering::Relaxed) != 0
            && self.calls.searching.load(Ordering::Relaxed) == 0
        {
            self.calls.notify(self);
        }
    }

    /// `Scheduler::inject`.
    fn inject(&self) {
        self.injected.fetch_add(1, Ordering::Release);
        self.notify();
    }

    /// `Worker::push_shared` of the ring's owner.
    fn push(&self, node: usize) {
        if self.ring.push(&self.nodes[node]).unwrap() >= 2 {
            self.notify();
        }
    }

    /// `Worker::take_from_others`, once.
    fn take(&self) -> bool {
        let mut left = self.injected.load(Ordering::Acquire);
        while left > 0 {
            match self.injected.compare_exchange(left, left - 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(seen) => left = seen,
            }
        }
        StealQueue::new().steal_from(&self.ring, Least::Two) > 0
    }

    /// `Worker::others_have_nothing`.
    fn nothing(&self) -> bool {
        self.injected.load(Ordering::Acquire) == 0 && self.ring.len() < 2
    }

    /// Looks and sleeps until it has something; `wakes` sleeps end without the bell.
    fn work(&self, index: usize, mut wakes: u32) {
        let Worker { parker, bell } = &self.workers[index];
        let mut called = false;
        loop {
            if called || self.calls.begin_search(2) {
                called = false;
                let found = self.take();
                if self.bug != Bug::LeavesTooLate || found {
                    let more = || self.bug != Bug::CallsNobody && !self.nothing();
                    self.calls.end_search(more, self);
                }
                if found {
                    return;
                }
                if self.bug == Bug::LeavesTooLate {
                    let asleep = self.calls.sleep(parker, || self.nothing());
                    self.calls.end_search(|| false, self);
                    called = self.rest(asleep, &mut wakes, parker, bell);
                    continue;
                }
            }
            let asleep = self.calls.sleep(parker, || self.bug == Bug::NoSecondLook || self.nothing());
            called = self.rest(asleep, &mut wakes, parker, bell);
        }
    }

    /// Sleeps beside the third worker, and takes what that makes ready alone. A sleep that has an end finds it there.
    fn watches(&self) {
        let Worker { parker, bell } = &self.workers[0];
        let asleep = self.calls.sleep(parker, || self.nothing());
        let all_rest = || self.bug == Bug::NoLookAtWork || !self.at_work.load(Ordering::Relaxed);
        if asleep && self.calls.leaves_unwatched(all_rest) {
            bell.hear();
        }
        if self.calls.wake(parker) {
            self.calls.end_search(|| false, self);
        }
    }

    /// The third worker's thread is back, and its first poll makes one task ready and lasts for ever.
    fn comes_back(&self) {
        if self.bug == Bug::ComesBackSilently {
            self.at_work.store(true, Ordering::Relaxed);
        } else {
            self.calls.come_back(&self.at_work, self);
        }
        self.push(0);
    }

    fn rest(&self, asleep: bool, wakes: &mut u32, parker: &Parker, bell: &Bell) -> bool {
        if asleep && *wakes == 0 {
            bell.hear();
        }
        if !asleep || *wakes == 0 {
            // Loom would go on with this thread alone.
            thread::yield_now();
        }
        *wakes = wakes.saturating_sub(1);
        self.calls.wake(parker) && self.bug != Bug::KeepsTheCount
    }
}

/// So many workers that take, beside `push`; `wakes` of each one's sleeps end by something else than a bell.
fn all_is_taken(bug: Bug, workers: usize, wakes: u32, push: impl Fn(&Set) + Clone + Send + Sync + 'static) {
    // Two that take wait for each other's searches, in turns that have no end.
    let bound = if workers > 1 { 2 } else { usize::MAX };
    explore_within(bound, move || {
        let set = Set::new(bug);
        let takers: Vec<_> = (1..workers)
            .map(|index| {
                let set = set.clone();
                thread::spawn(move || {
                    set.work(index, wakes);
                    drop(ManuallyDrop::into_inner(set));
                })
            })
            .collect();
        let pusher = {
            let (set, push) = (set.clone(), push.clone());
            thread::spawn(move || {
                push(&set);
                drop(ManuallyDrop::into_inner(set));
            })
        };
        set.work(0, wakes);
        pusher.join().unwrap();
        for taker in takers {
            taker.join().unwrap();
        }
        let counts = [&set.calls.searching, &set.calls.sleeping].map(|count| count.load(Ordering::Acquire));
        assert_eq!(counts, [0, 0], "the counts do not come back");
        fence(Ordering::SeqCst);
        drop(ManuallyDrop::into_inner(set));
    });
}

fn inject(set: &Set) {
    set.inject();
}

fn inject_two(set: &Set) {
    set.inject();
    set.inject();
}

fn push_two(set: &Set) {
    set.push(0);
    set.push(1);
}

fn push_three(set: &Set) {
    (0..3).for_each(|node| set.push(node));
}

#[test]
fn an_injected_task_finds_a_worker() {
    all_is_taken(Bug::None, 1, 0, inject);
}

#[test]
fn an_injected_task_finds_a_worker_that_something_else_had_woken() {
    all_is_taken(Bug::None, 1, 1, inject);
}

#[test]
fn two_injected_tasks_find_two_workers() {
    all_is_taken(Bug::None, 2, 0, inject_two);
}

#[test]
fn two_tasks_in_a_busy_workers_ring_find_a_thief() {
    all_is_taken(Bug::None, 1, 0, push_two);
}

#[test]
fn three_tasks_in_a_busy_workers_ring_find_two_thieves_one_after_the_other() {
    // The first thief takes two of three, or one of two.
    all_is_taken(Bug::None, 1, 0, push_three);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_searcher_that_leaves_after_its_announcement_is_relied_on_in_vain() {
    all_is_taken(Bug::LeavesTooLate, 1, 0, inject);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_push_without_a_fence_sees_no_sleeper() {
    all_is_taken(Bug::NoFence, 1, 0, inject);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_sleeper_that_does_not_look_again_misses_a_push() {
    all_is_taken(Bug::NoSecondLook, 1, 0, inject);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_last_searcher_that_calls_nobody_leaves_a_task_to_sleepers() {
    all_is_taken(Bug::CallsNobody, 2, 0, inject_two);
}

#[test]
#[should_panic]
fn a_search_that_nobody_ends_keeps_all_others_asleep() {
    all_is_taken(Bug::KeepsTheCount, 2, 1, inject_two);
}

/// The thread that is back hangs in its poll: whoever sleeps beside it without an end is never woken.
fn is_watched(bug: Bug) {
    explore_within(usize::MAX, move || {
        let set = Set::new(bug);
        let back = {
            let set = set.clone();
            thread::spawn(move || {
                set.comes_back();
                drop(ManuallyDrop::into_inner(set));
            })
        };
        set.watches();
        back.join().unwrap();
        let counts = [&set.calls.searching, &set.calls.sleeping].map(|count| count.load(Ordering::Acquire));
        assert_eq!(counts, [0, 0], "the counts do not come back");
        drop(ManuallyDrop::into_inner(set));
    });
}

#[test]
fn a_worker_that_comes_back_is_watched() {
    is_watched(Bug::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_sleeper_that_does_not_look_for_who_came_back_misses_it() {
    is_watched(Bug::NoLookAtWork);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_worker_that_comes_back_silently_is_not_watched() {
    is_watched(Bug::ComesBackSilently);
}
