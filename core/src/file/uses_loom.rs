//! The last handle goes while a lent operation ends elsewhere: exactly one of the two closes.

use super::uses::{Direction, Uses};
use crate::atomics::{AtomicU8, AtomicU32, Ordering};
use loom::sync::Arc;
use loom::thread;

/// The last handle of a file goes; two leaked operations, one a lane, end on another thread each.
#[test]
fn one_closes_after_all_ends() {
    loom::model(|| {
        let uses = Arc::new(Uses::new());
        let ended = Arc::new(AtomicU32::new(0));
        uses.open();
        assert!(uses.lend(Direction::Read) && uses.lend(Direction::Write));
        let end = |direction| {
            let (uses, ended) = (uses.clone(), ended.clone());
            thread::spawn(move || {
                ended.fetch_add(1, Ordering::Relaxed);
                let closes = uses.give_back(direction);
                // Whoever closes comes after both ends.
                assert!(!closes || ended.load(Ordering::Relaxed) == 2);
                closes
            })
        };
        let (read, write) = (end(Direction::Read), end(Direction::Write));
        let handle = uses.release();
        assert!(!handle || ended.load(Ordering::Relaxed) == 2, "closed under an operation");
        let closes = [handle, read.join().unwrap(), write.join().unwrap()];
        assert_eq!(closes.into_iter().filter(|&closes| closes).count(), 1);
    });
}

/// A counted operation outlives the handle, and a lent one both.
#[test]
fn a_counted_end_hands_over_too() {
    loom::model(|| {
        let uses = Arc::new(Uses::new());
        uses.open();
        assert!(uses.lend(Direction::Read));
        assert!(!uses.lend(Direction::Read), "a second one counts itself");
        uses.add();
        let lent = thread::spawn({
            let uses = uses.clone();
            move || uses.give_back(Direction::Read)
        });
        let counted = thread::spawn({
            let uses = uses.clone();
            move || uses.release()
        });
        let handle = uses.release();
        let closes = [handle, lent.join().unwrap(), counted.join().unwrap()];
        assert_eq!(closes.into_iter().filter(|&closes| closes).count(), 1);
    });
}

/// Seeded: the last handle looks at the lane and then marks it, in two steps; an end in between is not seen.
#[test]
#[should_panic(expected = "nobody closed")]
fn looking_and_then_marking_loses_the_end() {
    loom::model(|| {
        let (count, lane) = (Arc::new(AtomicU32::new(1)), Arc::new(AtomicU8::new(1)));
        let end = thread::spawn({
            let (count, lane) = (count.clone(), lane.clone());
            move || lane.swap(0, Ordering::AcqRel) == 2 && count.fetch_sub(1, Ordering::AcqRel) == 1
        });
        let mut closes = count.fetch_sub(1, Ordering::AcqRel) == 1;
        if lane.load(Ordering::Acquire) == 1 {
            count.fetch_add(1, Ordering::Relaxed);
            lane.store(2, Ordering::Release);
            closes = false;
        }
        let ended = end.join().unwrap();
        assert!(closes || ended, "nobody closed");
    });
}

/// Seeded: the lane is marked before it is counted; the end takes the count below zero, and the handle closes too.
#[test]
#[should_panic(expected = "closed twice, or never")]
fn marking_before_counting_closes_wrongly() {
    loom::model(|| {
        let (count, lane) = (Arc::new(AtomicU32::new(1)), Arc::new(AtomicU8::new(1)));
        let end = thread::spawn({
            let (count, lane) = (count.clone(), lane.clone());
            move || lane.swap(0, Ordering::AcqRel) == 2 && count.fetch_sub(1, Ordering::AcqRel) == 1
        });
        let mut handle = count.fetch_sub(1, Ordering::AcqRel) == 1;
        if lane.compare_exchange(1, 2, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
            handle = false;
        }
        assert!(handle != end.join().unwrap(), "closed twice, or never");
    });
}
