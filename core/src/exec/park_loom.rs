//! Models of one sleep: no sleep with a node in the inbox and no doorbell, and one doorbell a sleep.
//! Several sleeps are in `park_rounds_loom`.

use super::park::Parker;
use crate::queue::{Inbox, Linked};
use crate::support_loom::explore;
use core::ptr;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering, fence};
use loom::thread;

struct Node(AtomicPtr<Node>);

// SAFETY: one cell, used by one inbox.
unsafe impl Linked for Node {
    unsafe fn link<'a>(node: *const Self) -> &'a AtomicPtr<Self> {
        // SAFETY: the caller's.
        unsafe { &(*node).0 }
    }
}

struct Worker {
    parker: Parker,
    /// By hand, for the broken variants.
    sleeping: AtomicBool,
    inbox: Inbox<Node>,
    nodes: [Node; 2],
    /// Doorbells that were rung and not yet heard.
    bell: AtomicU32,
}

impl Worker {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            parker: Parker::new(),
            sleeping: AtomicBool::new(false),
            inbox: Inbox::new(),
            nodes: [(); 2].map(|()| Node(AtomicPtr::new(ptr::null_mut()))),
            bell: AtomicU32::new(0),
        })
    }

    fn push(&self, node: usize) {
        // SAFETY: the nodes outlive the model's threads; each is pushed once.
        unsafe { self.inbox.push(&self.nodes[node]) }.unwrap();
    }

    fn ring(&self) {
        self.bell.fetch_add(1, Ordering::AcqRel);
    }

    fn post(&self, node: usize) {
        self.push(node);
        if self.parker.must_ring() {
            self.ring();
        }
    }

    fn prepare(&self) -> bool {
        let asleep = self.parker.prepare(|| self.inbox.is_empty());
        if !asleep {
            self.parker.awake();
        }
        asleep
    }
}

/// One sleep beside one post.
fn one_sleep(prepare: fn(&Worker) -> bool, post: fn(&Worker)) {
    explore(move || {
        let worker = Worker::new();
        let poster = {
            let worker = worker.clone();
            thread::spawn(move || post(&worker))
        };
        let asleep = prepare(&worker);
        poster.join().unwrap();
        let rung = worker.bell.load(Ordering::Acquire);
        assert!(!asleep || rung == 1, "asleep with a node in the inbox");
    });
}

#[test]
fn a_post_is_seen_or_rings() {
    one_sleep(Worker::prepare, |worker| worker.post(0));
}

#[test]
#[should_panic(expected = "asleep with")]
fn a_sleep_without_the_second_look_is_never_woken() {
    one_sleep(|worker| worker.inbox.is_empty() && worker.parker.prepare(|| true), |worker| worker.post(0));
}

#[test]
#[should_panic(expected = "asleep with")]
fn a_poster_that_looks_before_it_pushes_rings_for_nobody() {
    one_sleep(Worker::prepare, |worker| {
        let must_ring = worker.parker.must_ring();
        worker.push(0);
        if must_ring {
            worker.ring();
        }
    });
}

fn announce(worker: &Worker, fenced: bool) -> bool {
    worker.sleeping.store(true, Ordering::Release);
    if fenced {
        fence(Ordering::SeqCst);
    }
    worker.inbox.is_empty()
}

fn post_by_hand(worker: &Worker, fenced: bool) {
    worker.push(0);
    if fenced {
        fence(Ordering::SeqCst);
    }
    if worker.sleeping.load(Ordering::Acquire) && worker.sleeping.swap(false, Ordering::AcqRel) {
        worker.ring();
    }
}

#[test]
fn the_handshake_by_hand_holds_with_both_fences() {
    one_sleep(|worker| announce(worker, true), |worker| post_by_hand(worker, true));
}

#[test]
#[should_panic(expected = "asleep with")]
fn without_the_sleepers_fence_both_look_too_early() {
    one_sleep(|worker| announce(worker, false), |worker| post_by_hand(worker, true));
}

#[test]
#[should_panic(expected = "asleep with")]
fn without_the_posters_fence_both_look_too_early() {
    one_sleep(|worker| announce(worker, true), |worker| post_by_hand(worker, false));
}

#[test]
fn two_posters_ring_once_for_one_sleep() {
    explore(|| {
        let worker = Worker::new();
        let posters = [0, 1].map(|node| {
            let worker = worker.clone();
            thread::spawn(move || worker.post(node))
        });
        let asleep = worker.prepare();
        for poster in posters {
            poster.join().unwrap();
        }
        let rung = worker.bell.load(Ordering::Acquire);
        assert!(rung <= 1, "two doorbells for one sleep");
        assert!(!asleep || rung == 1, "asleep with a node in the inbox");
    });
}
