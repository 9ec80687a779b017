//! Models of the count, and of the join cell that it keeps alive (JOIN-2).

use super::refs::Refs;
use super::state::*;
use crate::support_loom::{Plain, explore};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

struct Block {
    word: StateWord,
    refs: Refs,
    output: Plain,
    join: Plain,
    woken: AtomicU32,
    releases: AtomicU32,
}

impl Block {
    /// Running, with that many references.
    fn running(refs: u32) -> Arc<Self> {
        let block = Self {
            word: StateWord::new(),
            refs: Refs::new(),
            output: Plain::new(0),
            join: Plain::new(0),
            woken: AtomicU32::new(0),
            releases: AtomicU32::new(0),
        };
        block.refs.begin(refs);
        block.word.publish(0);
        block.word.start();
        Arc::new(block)
    }

    /// The memory is somebody else's.
    fn release(&self) {
        self.output.set(99);
        self.join.set(99);
        assert_eq!(self.releases.fetch_add(1, Ordering::Relaxed), 0, "released twice");
    }

    fn unref(&self) {
        if self.refs.drop_one() {
            self.release();
        }
    }
}

fn count(drop_one: fn(&Block) -> bool) {
    explore(move || {
        let block = Block::running(2);
        let other = {
            let block = block.clone();
            thread::spawn(move || {
                assert_ne!(block.output.get(), 99);
                block.refs.add(1);
                for _ in 0..2 {
                    if drop_one(&block) {
                        block.release();
                    }
                }
            })
        };
        assert_ne!(block.output.get(), 99);
        if drop_one(&block) {
            block.release();
        }
        other.join().unwrap();
        assert_eq!(block.releases.load(Ordering::Relaxed), 1, "releases");
    });
}

#[test]
fn the_last_of_all_references_releases_once() {
    count(|block| block.refs.drop_one());
}

#[test]
#[should_panic]
fn a_count_looked_at_and_then_dropped_releases_never() {
    count(|block| {
        let last = block.refs.count() == 1;
        let _ = block.refs.drop_one();
        last
    });
}

#[test]
fn three_holders_release_once() {
    explore(|| {
        let block = Block::running(3);
        let others = [(), ()].map(|()| {
            let block = block.clone();
            thread::spawn(move || {
                assert_ne!(block.output.get(), 99);
                block.unref();
            })
        });
        block.unref();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(block.releases.load(Ordering::Relaxed), 1, "releases");
    });
}

/// REFS-3 without its acquire: the last holder's release does not come after the others' accesses.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_last_reference_seen_without_acquire_releases_too_early() {
    explore(|| {
        let refs = Arc::new(AtomicU32::new(2));
        let memory = Arc::new(Plain::new(0));
        let drop_one = |refs: &AtomicU32, memory: &Plain| {
            let _ = memory.get();
            if refs.load(Ordering::Relaxed) == 1 || refs.fetch_sub(1, Ordering::AcqRel) == 1 {
                memory.set(99);
            }
        };
        let other = {
            let (refs, memory) = (refs.clone(), memory.clone());
            thread::spawn(move || drop_one(&refs, &memory))
        };
        drop_one(&refs, &memory);
        other.join().unwrap();
    });
}

/// The runner's end, as `finish.rs` does it.
fn finish(block: &Block) {
    block.output.set(42);
    let before = block.word.done();
    if before & JOIN_WAKER != 0 {
        block.woken.store(block.join.get(), Ordering::Relaxed);
    }
    block.unref();
}

/// Takes the output when the task is done, as `join.rs` does it; the cell's value otherwise.
fn poll_join(block: &Block, waker: u32) -> bool {
    loop {
        let word = block.word.load();
        if word & LIVE == 0 {
            assert_eq!(block.output.get(), 42);
            block.unref();
            return true;
        }
        if word & JOIN_WAKER != 0 {
            if block.join.get() == waker {
                return false;
            }
            if !block.word.clear_join_waker() {
                continue;
            }
        }
        block.join.set(waker);
        if block.word.set_join_waker() {
            return false;
        }
    }
}

fn join(runner: fn(&Block), poll: fn(&Block, u32) -> bool) {
    explore(move || {
        let block = Block::running(2);
        let joiner = {
            let block = block.clone();
            thread::spawn(move || {
                if !poll(&block, 1) && !poll(&block, 2) {
                    return true;
                }
                false
            })
        };
        runner(&block);
        if joiner.join().unwrap() {
            assert_eq!(block.woken.load(Ordering::Relaxed), 2, "the joiner's last waker");
            assert!(poll(&block, 2));
        }
        assert_eq!(block.releases.load(Ordering::Relaxed), 1, "releases");
    });
}

#[test]
fn a_joiner_gets_the_output_or_its_last_waker_is_woken() {
    join(finish, poll_join);
}

#[test]
#[should_panic]
fn a_join_waker_read_after_done_without_a_reference_is_somebody_elses() {
    join(
        |block| {
            block.output.set(42);
            let before = block.word.done();
            block.unref();
            if before & JOIN_WAKER != 0 {
                block.woken.store(block.join.get(), Ordering::Relaxed);
            }
        },
        poll_join,
    );
}

#[test]
#[should_panic]
fn a_join_waker_replaced_without_taking_the_cell_back_is_read_half_written() {
    join(finish, |block, waker| {
        if block.word.load() & LIVE == 0 {
            return poll_join(block, waker);
        }
        block.join.set(waker);
        !block.word.set_join_waker() && poll_join(block, waker)
    });
}

/// An abort meets the end of the task; the aborter's reference keeps the header until it has looked.
fn abort_beside_done(abort: fn(&Block) -> bool) {
    explore(move || {
        let block = Block::running(2);
        let aborter = {
            let block = block.clone();
            thread::spawn(move || {
                let won = abort(&block);
                block.unref();
                won
            })
        };
        block.output.set(42);
        let before = block.word.done();
        // The next activation of the header begins with its release.
        block.unref();
        assert!(!aborter.join().unwrap(), "the aborter owns a place in the queue of a task that has ended");
        assert_eq!(before & (LIVE | RUNNING), LIVE | RUNNING);
        assert_eq!(block.releases.load(Ordering::Relaxed), 1, "releases");
    });
}

#[test]
fn an_abort_beside_the_end_enqueues_nothing() {
    abort_beside_done(|block| block.word.abort().is_some());
}

#[test]
#[should_panic(expected = "of a task that has ended")]
fn an_abort_that_looks_first_and_enqueues_then_finds_a_task_that_has_ended() {
    abort_beside_done(|block| {
        let live = block.word.load() & LIVE != 0;
        let before = block.word.load() & RUNNING == 0;
        let _ = block.word.abort();
        live && before
    });
}
