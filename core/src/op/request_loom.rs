//! Models of a slot whose holder, loop and ending task are on three threads: a cancel and a drop against the
//! completion, and messages that outlive their activation.
//!
//! State word, requests, hold word, references and inbox are the real ones; the steps between them are those of
//! `exec/orphan.rs`, `task/finish.rs` and `handle.rs`.

use super::hold::Hold;
use super::request::{Asked, BITS, MASK, REQ_CANCEL, REQ_DROP, Requests, low};
use super::word::{FREE, IN_FLIGHT, READY, STATE_BITS, SlotWord, TAKING, pack, state_of};
use crate::atomics::Count;
use crate::queue::{Inbox, Linked};
use crate::support_loom::{Plain, explore};
use crate::task::Refs;
use core::ptr;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use loom::thread;

struct Slot {
    word: SlotWord,
    requests: Requests,
    hold: Hold,
    post: AtomicPtr<Slot>,
    /// Whose it is: 0 or 1.
    worker: AtomicUsize,
    /// `marks`, `queued`, `link`: 1 for an orphan. The loop's thread alone, while IN_FLIGHT.
    marks: Plain,
    result: Plain,
}

// SAFETY: one cell, used by the inboxes only.
unsafe impl Linked for Slot {
    unsafe fn link<'a>(node: *const Self) -> &'a AtomicPtr<Self> {
        // SAFETY: the caller's.
        unsafe { &(*node).post }
    }
}

/// What is wrong.
#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    /// The holder takes the result without TAKING.
    TakesWithoutClaim,
    /// The thread that finds a request believes that the slot is its own.
    BelievesItsOwn,
    /// A request takes the place of a later one.
    ForgetsTheLater,
    /// The ending does not wait for FREE.
    DoesNotWait,
}

struct Model {
    bug: Bug,
    slot: Slot,
    refs: Refs,
    inboxes: [Inbox<Slot>; 2],
    releases: AtomicU32,
    /// A request as `ForgetsTheLater` has it.
    by_hand: AtomicU32,
}

impl Model {
    fn new(bug: Bug, refs: u32) -> Arc<Self> {
        let slot = Slot {
            word: SlotWord::new(),
            requests: Requests::new(),
            hold: Hold::new(),
            post: AtomicPtr::new(ptr::null_mut()),
            worker: AtomicUsize::new(0),
            marks: Plain::new(0),
            result: Plain::new(0),
        };
        let model = Self {
            bug,
            slot,
            refs: Refs::new(),
            inboxes: [Inbox::new(), Inbox::new()],
            releases: AtomicU32::new(0),
            by_hand: AtomicU32::new(0),
        };
        model.refs.begin(refs);
        Arc::new(model)
    }

    fn begin(&self, worker: usize) -> Count {
        let word = self.slot.word.get();
        assert_eq!(state_of(word), FREE, "an operation begins in a slot that is not free");
        self.slot.marks.set(0);
        self.slot.hold.reset();
        self.slot.worker.store(worker, Ordering::Relaxed);
        self.slot.word.begin(word);
        word >> STATE_BITS
    }

    fn ask(&self, generation: Count, bits: u32) {
        let post = if self.bug == Bug::ForgetsTheLater {
            let mut now = self.by_hand.load(Ordering::Relaxed);
            loop {
                let kept = if now >> BITS == low(generation) { now & MASK } else { 0 };
                let next = kept | bits | low(generation) << BITS;
                match self.by_hand.compare_exchange(now, next, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => break now & MASK == 0,
                    Err(seen) => now = seen,
                }
            }
        } else {
            self.slot.requests.ask(generation, bits) == Asked::Post
        };
        if post {
            let inbox = &self.inboxes[self.slot.worker.load(Ordering::Relaxed)];
            // SAFETY: REQUEST-1: the slot is in no inbox.
            unsafe { inbox.push(&self.slot) }.unwrap();
        }
    }

    fn take_requests(&self) -> (u32, u32) {
        if self.bug == Bug::ForgetsTheLater {
            let word = self.by_hand.swap(0, Ordering::AcqRel);
            return (word & MASK, word >> BITS);
        }
        self.slot.requests.take()
    }

    /// `Worker::take_posts`.
    fn take_posts(&self, worker: usize) {
        for _ in self.inboxes[worker].take_all() {
            let (bits, asked_of) = self.take_requests();
            let (state, generation) = self.slot.word.observe();
            if asked_of != low(generation) || state == FREE {
                continue;
            }
            if self.bug != Bug::BelievesItsOwn && self.slot.worker.load(Ordering::Relaxed) != worker {
                self.ask(generation, bits);
                continue;
            }
            if bits & REQ_DROP != 0 {
                match state {
                    IN_FLIGHT => self.slot.marks.set(1),
                    READY if self.slot.word.claim(generation) => self.let_go(),
                    TAKING => self.let_go(),
                    _ => {}
                }
            } else if bits & REQ_CANCEL != 0 && state == IN_FLIGHT {
                // `want_cancel` looks at what is the loop's.
                self.slot.marks.get();
            }
        }
    }

    /// The terminal completion, on the loop's thread.
    fn complete(&self) {
        if self.slot.marks.get() == 1 {
            self.let_go();
        } else {
            self.slot.result.set(7);
            self.slot.word.set_ready(self.slot.word.get());
        }
    }

    /// `Worker::let_go`.
    fn let_go(&self) {
        let pinned = self.slot.hold.let_go();
        self.slot.word.set_free_after(self.slot.word.get());
        if pinned {
            self.unref();
        }
    }

    fn unref(&self) -> bool {
        let last = self.refs.drop_one();
        if last {
            self.releases.fetch_add(1, Ordering::Relaxed);
        }
        last
    }

    /// A holder on another thread: asks for the end, takes the result if it is there, and else lets go.
    fn cancel_and_take(&self, generation: Count) {
        self.ask(generation, REQ_CANCEL);
        let ready = self.slot.word.look() == pack(READY, generation);
        let claimed = match self.bug {
            Bug::TakesWithoutClaim => ready,
            _ => ready && self.slot.word.claim(generation),
        };
        if claimed {
            assert_eq!(self.slot.result.get(), 7);
            if self.bug == Bug::TakesWithoutClaim {
                return self.let_go();
            }
        }
        self.ask(generation, REQ_DROP);
    }

    /// `take_back` and the runner's own reference: true when the block is the caller's to use again.
    fn end_task(&self) -> bool {
        let (state, generation) = self.slot.word.observe();
        if state != FREE {
            self.refs.add(1);
            let pins = match state {
                READY if self.slot.word.claim(generation) => {
                    self.let_go();
                    false
                }
                _ => {
                    if state == IN_FLIGHT {
                        self.ask(generation, REQ_DROP);
                    }
                    !self.slot.hold.pin()
                }
            };
            while !pins && self.bug != Bug::DoesNotWait && self.slot.word.observe().0 != FREE {
                thread::yield_now();
            }
            self.refs.drop_excess(u32::from(!pins));
        }
        self.unref()
    }

    fn all_is_back(&self) {
        assert_eq!(self.slot.word.observe().0, FREE, "the slot does not come back");
        assert_eq!(self.slot.requests.take().0, 0, "a request is left");
        assert_eq!(self.releases.load(Ordering::Relaxed), 1, "releases");
    }
}

/// The holder cancels and takes, the task ends, the loop completes: on three threads.
fn cancel_against_completion(bug: Bug) {
    explore(move || {
        let model = Model::new(bug, 1);
        let generation = model.begin(0);
        let holder = {
            let model = model.clone();
            thread::spawn(move || model.cancel_and_take(generation))
        };
        let ending = {
            let model = model.clone();
            thread::spawn(move || {
                model.end_task();
            })
        };
        model.take_posts(0);
        model.complete();
        model.take_posts(0);
        holder.join().unwrap();
        ending.join().unwrap();
        model.take_posts(0);
        model.all_is_back();
    });
}

#[test]
fn a_cancel_and_a_drop_beside_the_completion_free_the_slot_once() {
    cancel_against_completion(Bug::None);
}

#[test]
#[should_panic]
fn a_result_taken_without_a_claim_is_freed_twice() {
    cancel_against_completion(Bug::TakesWithoutClaim);
}

/// A message of the first activation is still in worker 0's inbox while the second goes on at worker 1.
fn message_outlives_its_activation(bug: Bug) {
    explore(move || {
        let model = Model::new(bug, 2);
        let first = model.begin(0);
        model.ask(first, REQ_CANCEL);
        model.complete();
        assert!(model.slot.word.claim(first));
        model.let_go();
        let other = {
            let model = model.clone();
            thread::spawn(move || {
                let second = model.begin(1);
                let holder = {
                    let model = model.clone();
                    thread::spawn(move || model.ask(second, REQ_DROP))
                };
                model.slot.marks.get();
                holder.join().unwrap();
                second
            })
        };
        model.take_posts(0);
        let second = other.join().unwrap();
        model.take_posts(0);
        model.take_posts(1);
        assert!(
            model.slot.word.look() == pack(IN_FLIGHT, second) && model.slot.marks.get() == 1,
            "a drop is lost"
        );
        model.complete();
        model.end_task();
        model.unref();
        model.all_is_back();
    });
}

#[test]
fn a_request_in_an_earlier_inbox_is_passed_on() {
    message_outlives_its_activation(Bug::None);
}

#[test]
#[should_panic]
fn a_request_answered_by_an_earlier_loop_is_a_race() {
    message_outlives_its_activation(Bug::BelievesItsOwn);
}

/// A holder of the first activation asks too late, beside one of the second.
fn asks_too_late(bug: Bug) {
    explore(move || {
        let model = Model::new(bug, 2);
        let first = model.begin(0);
        model.complete();
        assert!(model.slot.word.claim(first));
        model.let_go();
        let second = model.begin(0);
        let late = {
            let model = model.clone();
            thread::spawn(move || model.ask(first, REQ_CANCEL))
        };
        let holder = {
            let model = model.clone();
            thread::spawn(move || model.ask(second, REQ_DROP))
        };
        late.join().unwrap();
        holder.join().unwrap();
        model.take_posts(0);
        assert_eq!(model.slot.marks.get(), 1, "a drop is lost");
        model.complete();
        model.end_task();
        model.unref();
        model.all_is_back();
    });
}

#[test]
fn a_request_that_comes_too_late_changes_nothing() {
    asks_too_late(Bug::None);
}

#[test]
#[should_panic(expected = "a drop is lost")]
fn a_request_that_takes_the_place_of_a_later_one_loses_a_drop() {
    asks_too_late(Bug::ForgetsTheLater);
}

/// HOLD-3: the block's next task begins an operation in the slot at once, on another worker.
fn used_again_at_once(bug: Bug) {
    explore(move || {
        let model = Model::new(bug, 1);
        let generation = model.begin(0);
        model.complete();
        assert!(model.slot.word.claim(generation));
        let loops_thread = {
            let model = model.clone();
            // A holder elsewhere has given the slot back.
            thread::spawn(move || model.let_go())
        };
        if model.end_task() {
            model.begin(1);
        }
        loops_thread.join().unwrap();
    });
}

#[test]
fn the_next_task_of_a_block_finds_its_slots_free() {
    used_again_at_once(Bug::None);
}

#[test]
#[should_panic(expected = "not free")]
fn an_ending_that_does_not_wait_leaves_a_slot_that_is_not_free() {
    used_again_at_once(Bug::DoesNotWait);
}
