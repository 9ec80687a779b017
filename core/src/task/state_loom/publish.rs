//! A new task, its first start, and stale wakers.

use super::*;

/// STATE-7.
#[test]
fn the_first_poll_or_the_one_behind_it_sees_the_wakers_writes() {
    last_news(Task::published, |task| task.word.wake().is_some());
}

/// STATE-7: a new task's first start and poll, beside a waker; the seeded bugs have another start.
fn first_start(start: fn(&AtomicU32)) {
    explore(move || {
        let word = Arc::new(AtomicU32::new(LIVE | RUNNING));
        let news = Arc::new(AtomicU32::new(0));
        let waker = {
            let (word, news) = (word.clone(), news.clone());
            thread::spawn(move || {
                news.store(7, Ordering::Relaxed);
                // An abort's step: with a compare-and-swap in its place loom does not find the seeded bug.
                word.fetch_or(QUEUED | RUNNING, Ordering::AcqRel) & (LIVE | QUEUED | RUNNING) == LIVE
            })
        };
        start(&word);
        let mut seen = news.load(Ordering::Relaxed);
        while word.fetch_sub(RUNNING, Ordering::AcqRel) & QUEUED != 0 {
            word.fetch_or(RUNNING, Ordering::AcqRel);
            word.fetch_sub(QUEUED, Ordering::AcqRel);
            seen = news.load(Ordering::Relaxed);
        }
        if waker.join().unwrap() {
            seen = news.load(Ordering::Relaxed);
        }
        assert_eq!(seen, 7, "the last poll did not see what came before the wake");
    });
}

#[test]
#[should_panic(expected = "did not see")]
fn a_first_start_that_stores_its_word_loses_a_wake() {
    first_start(|word| word.store(LIVE | RUNNING, Ordering::Release));
}

#[test]
#[should_panic(expected = "did not see")]
fn a_first_start_that_takes_a_wake_off_without_acquire_loses_its_writes() {
    first_start(|word| {
        if word.load(Ordering::Relaxed) & QUEUED != 0 {
            word.fetch_sub(QUEUED, Ordering::Relaxed);
        }
    });
}

/// STATE-7: an abort meets a task that was never started.
#[test]
fn an_abort_of_a_new_task_stops_it_before_or_after_its_first_poll() {
    explore(|| {
        let task = Task::published();
        let aborter = {
            let task = task.clone();
            thread::spawn(move || task.word.abort().is_some())
        };
        while run(&task) {}
        if aborter.join().unwrap() {
            assert!(!run(&task), "it stops");
        }
        assert_eq!(task.word.load() & LIVE, 0, "the abort is lost");
    });
}

/// A waker of the block's last activation meets the next one's publish.
fn publish_beside_a_stale_wake(publish: fn(&AtomicU32) -> bool, wake: fn(&AtomicU32) -> bool) {
    explore(move || {
        let word = Arc::new(AtomicU32::new(0));
        let body = Arc::new(Plain::new(0));
        let stale = {
            let (word, body) = (word.clone(), body.clone());
            thread::spawn(move || {
                let won = wake(&word);
                if won {
                    assert_eq!(body.get(), 7);
                }
                won
            })
        };
        body.set(7);
        let own = publish(&word);
        let stale = stale.join().unwrap();
        assert_eq!(u32::from(own) + u32::from(stale), 1, "enqueued once");
    });
}

#[test]
#[should_panic(expected = "enqueued once")]
fn a_publish_that_sets_live_and_then_wakes_is_lost_to_a_stale_wake() {
    publish_beside_a_stale_wake(
        |word| {
            word.fetch_or(LIVE | CLAIMED, Ordering::AcqRel);
            raw_wake(word)
        },
        raw_wake,
    );
}

#[test]
#[should_panic]
fn a_block_that_looks_live_before_its_body_is_written_runs_nothing() {
    explore(|| {
        let task = Task::free();
        let stale = {
            let task = task.clone();
            thread::spawn(move || {
                if task.word.wake().is_some() {
                    task.poll();
                }
            })
        };
        task.word.publish(0);
        task.word.start();
        task.word.pending().then_some(()).unwrap_or(());
        task.body.set(7);
        stale.join().unwrap();
    });
}

#[test]
fn a_publish_beside_a_stale_wake_enqueues_once() {
    explore(|| {
        let task = Task::free();
        let stale = {
            let task = task.clone();
            thread::spawn(move || task.word.wake().is_some())
        };
        task.body.set(7);
        task.word.publish(0);
        assert!(!stale.join().unwrap(), "a stale wake owns nothing while the publisher does");
        assert_eq!(task.word.start() & !QUEUED, LIVE | RUNNING | CLAIMED);
        assert_eq!(task.word.load(), LIVE | RUNNING | CLAIMED, "it runs");
    });
}

#[test]
fn a_stale_wake_after_the_end_enqueues_nothing_and_spoils_nothing() {
    explore(|| {
        let task = Task::published();
        let stale = {
            let task = task.clone();
            thread::spawn(move || task.word.wake().is_some())
        };
        let mut again = true;
        let mut polls = 0;
        while again {
            task.poll();
            polls += 1;
            again = polls < 2 && task.word.pending();
            if polls == 2 {
                task.word.done();
                task.word.free();
                task.word.publish(0);
                task.poll();
            }
        }
        let won = stale.join().unwrap();
        assert!(!won || task.word.load() & (RUNNING | LIVE) == RUNNING | LIVE);
    });
}
