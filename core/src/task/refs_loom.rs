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
    left: AtomicU32,
    /// JOIN-4.
    near: Plain,
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
            left: AtomicU32::new(0),
            near: Plain::new(0),
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
        self.near.set(0);
        assert_eq!(self.releases.fetch_add(1, Ordering::Relaxed), 0, "released twice");
    }

    /// By whoever it belongs to (BODY-2).
    fn drop_output(&self) {
        assert_eq!(self.output.get(), 42);
        self.output.set(43);
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
    let near = block.near.get() == 1;
    let before = block.word.done();
    let joined = before & JOIN_WAKER != 0 || (near && before & JOIN_FAR == 0);
    if before & DETACHED != 0 {
        if joined {
            block.join.get();
        }
        block.near.set(0);
        block.drop_output();
        block.unref();
    } else if joined {
        let waker = block.join.get();
        block.left.store(1, Ordering::Release);
        block.woken.store(waker, Ordering::Relaxed);
    }
}

/// JOIN-3.
fn wait_for_runner(block: &Block, word: u32) {
    if word & JOIN_WAKER != 0 || (word & JOIN_FAR == 0 && block.near.get() == 1) {
        while block.left.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        block.left.store(0, Ordering::Relaxed);
    }
    block.near.set(0);
}

/// Takes the output when the task is done, as `join.rs` does it; false when its waker lies in the cell.
fn poll_join(block: &Block, waker: u32) -> bool {
    poll_join_with(block, waker, wait_for_runner)
}

fn poll_join_with(block: &Block, waker: u32, wait: fn(&Block, u32)) -> bool {
    loop {
        let word = block.word.load();
        if word & LIVE == 0 {
            wait(block, word);
            block.drop_output();
            block.unref();
            return true;
        }
        if word & (JOIN_WAKER | JOIN_FAR) == 0 && block.near.get() == 1 {
            let _ = block.word.set_join_far();
            continue;
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
        let block = Block::running(1);
        let joiner = {
            let block = block.clone();
            thread::spawn(move || !poll(&block, 1) && !poll(&block, 2))
        };
        runner(&block);
        if joiner.join().unwrap() {
            assert_eq!(block.woken.load(Ordering::Relaxed), 2, "the joiner's last waker");
            assert!(poll(&block, 2));
        }
        assert_eq!(block.releases.load(Ordering::Relaxed), 1, "releases");
        assert_eq!(block.left.load(Ordering::Relaxed), 0, "the next activation's mark");
    });
}

#[test]
fn a_joiner_gets_the_output_or_its_last_waker_is_woken() {
    join(finish, poll_join);
}

#[test]
#[should_panic]
fn a_join_waker_read_after_the_runner_has_left_is_somebody_elses() {
    join(
        |block| {
            block.output.set(42);
            if block.word.done() & JOIN_WAKER != 0 {
                block.left.store(1, Ordering::Release);
                block.woken.store(block.join.get(), Ordering::Relaxed);
            }
        },
        poll_join,
    );
}

#[test]
#[should_panic]
fn a_joiner_that_does_not_wait_for_the_runner_takes_the_waker_from_under_it() {
    join(finish, |block, waker| poll_join_with(block, waker, |_, _| {}));
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

/// JOIN-4: a handle leaves its first waker on the runner's own thread, and then goes to another one.
fn join_from_near(runner: fn(&Block), then: fn(&Block)) {
    explore(move || {
        let block = Block::running(1);
        block.join.set(1);
        block.near.set(1);
        let joiner = {
            let block = block.clone();
            thread::spawn(move || then(&block))
        };
        runner(&block);
        joiner.join().unwrap();
        if block.releases.load(Ordering::Relaxed) == 0 {
            assert_eq!(block.woken.load(Ordering::Relaxed), 2, "the joiner's last waker");
            assert!(poll_join(&block, 2));
        }
        assert_eq!(block.releases.load(Ordering::Relaxed), 1, "releases");
        assert_eq!(block.left.load(Ordering::Relaxed), 0, "the next activation's mark");
        assert_eq!(block.near.get(), 0, "the next activation's mark");
    });
}

fn poll_join_far(block: &Block) {
    poll_join(block, 2);
}

#[test]
fn a_joiner_that_was_near_gets_the_output_or_its_last_waker_is_woken() {
    join_from_near(finish, poll_join_far);
}

#[test]
fn a_handle_that_was_near_and_goes_leaves_its_waker_to_the_runner() {
    join_from_near(finish, drop_handle);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_near_waker_is_not_changed_from_another_thread_without_a_step() {
    join_from_near(finish, |block| {
        if block.word.load() & LIVE != 0 {
            block.join.set(2);
        }
    });
}

/// JOIN-4: behind done the handle that has found it so has given the block back.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_runner_that_looks_at_the_mark_behind_done_sees_the_next_activations() {
    join(
        |block| {
            block.output.set(42);
            let before = block.word.done();
            if before & JOIN_WAKER != 0 || block.near.get() == 1 {
                block.woken.store(block.join.get(), Ordering::Relaxed);
                block.left.store(1, Ordering::Release);
            }
        },
        poll_join,
    );
}

/// The handle has gone far, and changes the waker, when done comes.
#[test]
#[should_panic]
fn a_runner_that_believes_the_mark_of_a_handle_that_has_gone_far_reads_half_a_waker() {
    join_from_near(
        |block| {
            let near = block.near.get() == 1;
            block.output.set(42);
            if block.word.done() & JOIN_WAKER != 0 || near {
                let waker = block.join.get();
                block.left.store(1, Ordering::Release);
                block.woken.store(waker, Ordering::Relaxed);
            }
        },
        poll_join_far,
    );
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_joiner_that_was_near_and_does_not_wait_takes_the_waker_from_under_the_runner() {
    join_from_near(finish, |block| {
        poll_join_with(block, 2, |block, _| block.near.set(0));
    });
}

/// JOIN-1: a handle that has perhaps left a waker goes, beside the end of the task and an aborter, as `join.rs` does it.
fn detach(left_a_waker: bool, drop_handle: fn(&Block)) {
    explore(move || {
        let block = Block::running(2);
        if left_a_waker {
            block.join.set(1);
            assert!(block.word.set_join_waker());
        }
        let others = [drop_handle, |block: &Block| block.unref()].map(|other| {
            let block = block.clone();
            thread::spawn(move || other(&block))
        });
        finish(&block);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(block.releases.load(Ordering::Relaxed), 1, "releases");
        assert_eq!(block.left.load(Ordering::Relaxed), 0, "the next activation's mark");
    });
}

fn drop_handle(block: &Block) {
    let mut word = block.word.load();
    if word & LIVE != 0 {
        word = block.word.detach();
    }
    if word & LIVE != 0 {
        return;
    }
    wait_for_runner(block, word);
    block.drop_output();
    block.unref();
}

#[test]
fn a_handle_that_goes_or_the_runner_gives_their_reference_back() {
    detach(false, drop_handle);
}

#[test]
fn a_handle_that_goes_leaves_its_waker_to_the_runner() {
    detach(true, drop_handle);
}

#[test]
#[should_panic]
fn a_handle_that_goes_by_what_it_saw_before_its_step_releases_twice_or_never() {
    detach(false, |block| {
        let word = block.word.load();
        block.word.detach();
        if word & LIVE == 0 {
            block.drop_output();
            block.unref();
        }
    });
}

#[test]
#[should_panic]
fn a_handle_that_gives_back_a_reference_of_its_own_releases_too_early() {
    detach(false, |block| {
        block.word.detach();
        block.unref();
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
