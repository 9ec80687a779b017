//! What the models of several sleeps share: the real inbox, a bell that stays rung, and the rounds.
//!
//! A sleep ends by the bell or by something else, a completion or a timeout. The latter is a wait that
//! returns without a look at the bell: loom chooses when, and the bell may ring in any later round.
//! Who sleeps for ever is a deadlock, which loom reports.

use super::park::Parker;
use crate::queue::{Inbox, Linked};
use crate::support_loom::{Plain, explore};
use core::mem::{ManuallyDrop, take};
use core::ptr;
use core::sync::atomic::AtomicU32;
use loom::sync::atomic::{AtomicBool, AtomicPtr, Ordering, fence};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::sync::Arc;

struct Node {
    link: AtomicPtr<Node>,
    value: Plain,
}

// SAFETY: INBOX-1: one cell, used by one inbox.
unsafe impl Linked for Node {
    unsafe fn link<'a>(node: *const Self) -> &'a AtomicPtr<Self> {
        // SAFETY: INBOX-1: the caller's node is live.
        unsafe { &(*node).link }
    }
}

/// An eventfd and its poll: rings add up until they are heard.
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

    /// What a turn that does not sleep does with a bell.
    fn swallow(&self) {
        *self.rings.lock().unwrap() = 0;
    }
}

/// What is wrong with a parker written by hand.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Bug {
    None,
    NoFenceOfSleeper,
    NoFenceOfPoster,
    NoSecondLook,
    LookBeforePush,
    TakesByStore,
    RingsBeforeItTakes,
    SwallowsAfterAnnouncing,
}

fn take_flag(sleeping: &AtomicBool) -> bool {
    sleeping.load(Ordering::Relaxed)
        && sleeping.compare_exchange(true, false, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

enum Flag {
    Real(Parker),
    Hand(AtomicBool, Bug),
}

/// How a sleep ends.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// The bell, or never.
    Bell,
    /// Something else; the bell is not looked at.
    Else,
    /// As above, and a later turn that may not sleep swallows the bell.
    ElseSwallow,
}

struct Worker {
    flag: Flag,
    inbox: Inbox<Node>,
    nodes: [Node; 4],
    bell: Bell,
    /// Counters that loom does not see.
    announced: AtomicU32,
    rung: AtomicU32,
}

impl Worker {
    fn new(bug: Option<Bug>) -> Self {
        let flag = match bug {
            None => Flag::Real(Parker::new()),
            Some(bug) => Flag::Hand(AtomicBool::new(false), bug),
        };
        Self {
            flag,
            inbox: Inbox::new(),
            nodes: [(); 4].map(|()| Node { link: AtomicPtr::new(ptr::null_mut()), value: Plain::new(0) }),
            bell: Bell { rings: Mutex::new(0), more: Condvar::new() },
            announced: AtomicU32::new(0),
            rung: AtomicU32::new(0),
        }
    }

    fn has(&self, bug: Bug) -> bool {
        matches!(self.flag, Flag::Hand(_, mine) if mine == bug)
    }

    fn push(&self, index: usize) {
        self.nodes[index].value.set(1);
        // SAFETY: INBOX-1: the nodes outlive the model's threads, and each is pushed once.
        unsafe { self.inbox.push(&self.nodes[index]) }.unwrap();
    }

    fn ring(&self) {
        self.rung.fetch_add(1, Ordering::Relaxed);
        self.bell.ring();
    }

    fn post(&self, index: usize) {
        let looked_early = self.has(Bug::LookBeforePush).then(|| self.must_ring());
        self.push(index);
        if let Flag::Hand(sleeping, Bug::RingsBeforeItTakes) = &self.flag {
            fence(Ordering::SeqCst);
            if sleeping.load(Ordering::Relaxed) {
                self.ring();
                take_flag(sleeping);
            }
        } else if looked_early.unwrap_or_else(|| self.must_ring()) {
            self.ring();
        }
    }

    fn must_ring(&self) -> bool {
        match &self.flag {
            Flag::Real(parker) => parker.must_ring(),
            Flag::Hand(sleeping, bug) => {
                if *bug != Bug::NoFenceOfPoster {
                    fence(Ordering::SeqCst);
                }
                if *bug == Bug::TakesByStore {
                    let asleep = sleeping.load(Ordering::Relaxed);
                    if asleep {
                        sleeping.store(false, Ordering::Relaxed);
                    }
                    return asleep;
                }
                take_flag(sleeping)
            }
        }
    }

    fn prepare(&self) -> bool {
        self.announced.fetch_add(1, Ordering::Relaxed);
        match &self.flag {
            Flag::Real(parker) => {
                let asleep = parker.prepare(|| self.inbox.is_empty());
                if !asleep {
                    self.awake();
                }
                asleep
            }
            Flag::Hand(sleeping, bug) => {
                if *bug == Bug::NoSecondLook && !self.inbox.is_empty() {
                    return false;
                }
                sleeping.store(true, Ordering::Relaxed);
                if *bug != Bug::NoFenceOfSleeper {
                    fence(Ordering::SeqCst);
                }
                let idle = *bug == Bug::NoSecondLook || self.inbox.is_empty();
                if !idle {
                    self.awake();
                }
                idle
            }
        }
    }

    fn awake(&self) {
        match &self.flag {
            Flag::Real(parker) => _ = parker.awake(),
            Flag::Hand(sleeping, _) => _ = take_flag(sleeping),
        }
    }

    fn take(&self) -> u32 {
        self.inbox
            .take_all()
            .map(|node| {
                // SAFETY: INBOX-1: a taken node is live and the taker's.
                unsafe { &*node }.value.get()
            })
            .sum()
    }

    /// A sleep and the turn after it; what came.
    fn round(&self, end: End) -> u32 {
        if self.prepare() {
            if self.has(Bug::SwallowsAfterAnnouncing) {
                self.bell.swallow();
            }
            if let End::Bell = end {
                self.bell.hear();
            }
            self.awake();
        }
        if let End::ElseSwallow = end {
            self.bell.swallow();
        }
        self.take()
    }

    /// Some sleeps that end as said, then as many as the bell ends until all has come.
    fn work(&self, ends: &[End], posts: u32) {
        let mut taken = 0;
        for &end in ends {
            if taken < posts {
                taken += self.round(end);
            }
        }
        while taken < posts {
            taken += self.round(End::Bell);
        }
        assert_eq!(taken, posts);
    }
}

/// `posts` says how many each of the posters posts.
pub(super) fn rounds<const N: usize>(bug: Option<Bug>, ends: &'static [End], posts: [usize; N]) {
    explore(move || {
        // Loom cannot drop its objects while it unwinds from a deadlock.
        let worker = ManuallyDrop::new(Arc::new(Worker::new(bug)));
        let mut first = 0;
        let posters = posts.map(|count| {
            let (worker, mine) = (worker.clone(), first..first + count);
            first += count;
            thread::spawn(move || {
                mine.for_each(|index| worker.post(index));
                drop(ManuallyDrop::into_inner(worker));
            })
        });
        worker.work(ends, first as u32);
        for poster in posters {
            poster.join().unwrap();
        }
        let (rung, announced) =
            (worker.rung.load(Ordering::Relaxed), worker.announced.load(Ordering::Relaxed));
        assert!(rung <= announced, "two doorbells for one sleep");
        drop(ManuallyDrop::into_inner(worker));
    });
}
