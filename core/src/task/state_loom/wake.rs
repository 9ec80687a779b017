//! Who owns the queue place, and which poll sees the waker's writes.

use super::*;

#[test]
fn the_poll_after_a_wake_sees_the_wakers_writes() {
    last_news(Task::woken, |task| task.word.wake().is_some());
}

#[test]
#[should_panic(expected = "did not see")]
fn a_wake_that_returns_early_on_a_plain_load_loses_its_writes() {
    last_news(Task::woken, |task| task.word.load() & QUEUED == 0 && task.word.wake().is_some());
}

#[test]
#[should_panic(expected = "did not see")]
fn a_wake_that_leaves_a_running_task_alone_is_lost() {
    last_news(Task::woken, |task| task.word.load() & RUNNING == 0 && task.word.wake().is_some());
}

/// STATE-6: what a runner does that has polled, beside a waker; true when it polls again.
fn last_news_after(pending: fn(&AtomicU32) -> bool) {
    explore(move || {
        let word = Arc::new(AtomicU32::new(LIVE | RUNNING));
        let news = Arc::new(AtomicU32::new(0));
        let waker = {
            let (word, news) = (word.clone(), news.clone());
            thread::spawn(move || {
                news.store(7, Ordering::Relaxed);
                raw_wake(&word)
            })
        };
        let mut seen = news.load(Ordering::Relaxed);
        if pending(&word) {
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
fn a_runner_that_looks_for_a_wake_and_then_goes_loses_the_one_in_between() {
    last_news_after(|word| {
        let again = word.load(Ordering::Acquire) & QUEUED != 0;
        if !again {
            word.fetch_and(!RUNNING, Ordering::AcqRel);
        }
        again
    });
}

/// STATE-6: another runner takes it out of a queue, with RUNNING still set.
#[test]
fn a_task_in_the_queue_may_keep_its_running() {
    explore(|| {
        let task = Task::published();
        let queue = Arc::new(AtomicU32::new(0));
        let waker = {
            let task = task.clone();
            thread::spawn(move || {
                task.news.store(7, Ordering::Relaxed);
                task.word.wake().is_some()
            })
        };
        let thief = {
            let (task, queue) = (task.clone(), queue.clone());
            thread::spawn(move || {
                let took = queue.compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed);
                took.ok().map(|_| (task.poll(), task.word.pending()))
            })
        };
        let mut seen = task.poll();
        let mut again = task.word.pending();
        if again {
            queue.store(1, Ordering::Release);
        }
        if let Some(polled) = thief.join().unwrap() {
            (seen, again) = polled;
        }
        let won = waker.join().unwrap();
        assert!(!(won && again), "two owners of one queue place");
        if won || again {
            seen = task.poll();
            assert!(!task.word.pending());
        }
        assert_eq!(seen, 7, "the last poll did not see what came before the wake");
        assert_eq!(task.word.load(), LIVE | CLAIMED, "it waits");
    });
}

#[test]
fn one_of_two_wakers_and_the_runner_owns_the_queue_place() {
    explore(|| {
        let task = Task::published();
        let wakers = [1, 2].map(|number| {
            let task = task.clone();
            thread::spawn(move || {
                let won = task.word.wake().is_some();
                if won {
                    task.next.set(number);
                }
                won
            })
        });
        task.poll();
        let again = task.word.pending();
        if again {
            task.next.set(3);
        }
        let won = wakers.map(|waker| waker.join().unwrap());
        let places = u32::from(again) + won.map(u32::from).iter().sum::<u32>();
        assert!(places <= 1, "two owners of one queue place");
        assert_eq!(places == 1, task.word.load() & RUNNING != 0);
    });
}

#[test]
#[should_panic]
fn a_wake_in_two_steps_has_two_owners() {
    explore(|| {
        let word = Arc::new(AtomicU32::new(LIVE));
        let next = Arc::new(Plain::new(0));
        let wake = |word: &AtomicU32, next: &Plain| {
            if word.load(Ordering::Acquire) & (LIVE | QUEUED | RUNNING) == LIVE {
                word.fetch_or(QUEUED, Ordering::AcqRel);
                next.set(1);
            }
        };
        let other = {
            let (word, next) = (word.clone(), next.clone());
            thread::spawn(move || wake(&word, &next))
        };
        wake(&word, &next);
        other.join().unwrap();
    });
}

/// A thief writes `home` while it runs the task; a waker pushes to it.
fn home(read_first: bool) {
    explore(move || {
        let task = Task::published();
        let waker = {
            let task = task.clone();
            thread::spawn(move || {
                let early = read_first.then(|| task.home.get());
                if task.word.wake().is_some() {
                    let home = early.unwrap_or_else(|| task.home.get());
                    assert_eq!(home, 2, "pushed to a worker that is not its home");
                }
            })
        };
        task.word.start();
        task.home.set(2);
        if task.word.pending() {
            assert_eq!(task.home.get(), 2);
        }
        waker.join().unwrap();
    });
}

#[test]
fn home_is_read_by_who_won_the_place() {
    home(false);
}

#[test]
#[should_panic]
fn home_read_before_the_step_is_anybodys() {
    home(true);
}

/// A waiting task with two wakers, of which one runs it if it wins; the other one, whose wake is `wake`, tells news.
fn two_wakers(wake: fn(&Task) -> bool) {
    explore(move || {
        let task = Task::idle();
        let waker = {
            let task = task.clone();
            thread::spawn(move || {
                task.news.store(7, Ordering::Relaxed);
                wake(&task)
            })
        };
        let mut seen = 0;
        let mut again = task.word.wake().is_some();
        while again {
            seen = task.poll();
            again = task.word.pending();
        }
        if waker.join().unwrap() {
            seen = task.poll();
        }
        assert_eq!(seen, 7, "the last poll did not see what came before the wake");
    });
}

/// STATE-7: the one that loses finds RUNNING alone, before the start's look or behind it.
#[test]
fn a_wake_behind_the_one_that_won_is_seen_by_the_start_or_the_pending() {
    two_wakers(|task| task.word.wake().is_some());
}

#[test]
#[should_panic(expected = "did not see")]
fn a_wake_that_gives_up_where_another_one_won_meanwhile_loses_its_writes() {
    two_wakers(|task| {
        let waits = task.word.load() & (LIVE | QUEUED | RUNNING) == LIVE;
        waits && task.word.wake().is_some()
    });
}

/// The previous runner's `home`, by who wins the place with a step of this order.
fn home_behind(order: Ordering) {
    explore(move || {
        let word = Arc::new(AtomicU32::new(LIVE | RUNNING));
        let home = Arc::new(Plain::new(1));
        let waker = {
            let (word, home) = (word.clone(), home.clone());
            thread::spawn(move || {
                if word.compare_exchange(LIVE, LIVE | RUNNING, order, Ordering::Relaxed).is_ok() {
                    home.get();
                }
            })
        };
        home.set(2);
        word.fetch_sub(RUNNING, Ordering::AcqRel);
        waker.join().unwrap();
    });
}

#[test]
fn who_wins_the_place_reads_what_the_last_runner_wrote() {
    home_behind(Ordering::AcqRel);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_place_that_is_won_without_acquire_has_an_older_home() {
    home_behind(Ordering::Release);
}
