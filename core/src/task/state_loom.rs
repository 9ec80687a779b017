//! Models of the state word. `STATE-n` are the rules of `state.rs`.

use super::state::*;
use crate::support_loom::{Plain, explore};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

struct Task {
    word: StateWord,
    /// The future: the runner's while RUNNING.
    body: Plain,
    /// Written by the runner while RUNNING, read by whoever won the queue place.
    home: Plain,
    /// The link: written by the owner of the queue place.
    next: Plain,
    /// What somebody tells the task, and then wakes it.
    news: AtomicU32,
    output_drops: AtomicU32,
}

impl Task {
    fn free() -> Arc<Self> {
        Arc::new(Self {
            word: StateWord::new(),
            body: Plain::new(0),
            home: Plain::new(1),
            next: Plain::new(0),
            news: AtomicU32::new(0),
            output_drops: AtomicU32::new(0),
        })
    }

    fn published() -> Arc<Self> {
        let task = Self::free();
        task.word.publish(0);
        task
    }

    /// In the queue, and woken there.
    fn woken() -> Arc<Self> {
        let task = Self::published();
        assert!(task.word.wake().is_none());
        task
    }

    /// Published, run once, and waiting.
    fn idle() -> Arc<Self> {
        let task = Self::published();
        task.word.start();
        assert!(!task.word.pending());
        task
    }

    /// Starts and polls; the news that the poll saw.
    fn poll(&self) -> u32 {
        self.word.start();
        self.body.set(self.body.get() + 1);
        self.news.load(Ordering::Relaxed)
    }
}

/// The runner polls until nothing has woken it; then the one who won the place polls once more.
fn last_news(task: fn() -> Arc<Task>, wake: fn(&Task) -> bool) {
    explore(move || {
        let task = task();
        let waker = {
            let task = task.clone();
            thread::spawn(move || {
                task.news.store(7, Ordering::Relaxed);
                wake(&task)
            })
        };
        let mut seen = task.poll();
        while task.word.pending() {
            seen = task.poll();
        }
        if waker.join().unwrap() {
            seen = task.poll();
        }
        assert_eq!(seen, 7, "the last poll did not see what came before the wake");
    });
}

#[test]
fn the_poll_after_a_wake_sees_the_wakers_writes() {
    last_news(Task::woken, |task| task.word.wake().is_some());
}

/// STATE-7.
#[test]
fn the_first_poll_or_the_one_behind_it_sees_the_wakers_writes() {
    last_news(Task::published, |task| task.word.wake().is_some());
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

/// STATE-7: a new task's first start and poll, beside a waker; the seeded bugs have another start.
fn first_start(start: fn(&AtomicU32)) {
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
        assert_eq!(places == 1, task.word.load() & QUEUED != 0);
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

/// A runner that finishes at the start that finds ABORTED.
fn run(task: &Task) -> bool {
    if task.word.start() & ABORTED != 0 {
        stop(task);
        return false;
    }
    task.body.set(1);
    task.word.pending()
}

fn stop(task: &Task) {
    task.body.set(9);
    task.word.mark(NO_OUTPUT);
    task.word.done();
}

fn abort_while_running(abort: fn(&Task) -> bool) {
    explore(move || {
        let task = Task::published();
        let aborter = {
            let task = task.clone();
            thread::spawn(move || {
                if abort(&task) {
                    run(&task);
                }
            })
        };
        while run(&task) {}
        aborter.join().unwrap();
        assert_eq!(task.word.load() & LIVE, 0, "the abort is lost");
    });
}

#[test]
fn an_abort_ends_a_task_whatever_it_is_doing() {
    abort_while_running(|task| task.word.abort().is_some());
}

#[test]
#[should_panic(expected = "the abort is lost")]
fn an_abort_that_wakes_and_then_sets_its_flag_is_lost() {
    abort_while_running(|task| {
        let won = task.word.wake().is_some();
        task.word.mark(ABORTED);
        won
    });
}

/// STATE-4: the runner looks at the flag when it has gone pending, where only QUEUED may decide.
#[test]
#[should_panic]
fn an_abort_that_sets_its_flag_and_then_wakes_stops_twice() {
    explore(|| {
        let task = Task::published();
        let aborter = {
            let task = task.clone();
            thread::spawn(move || {
                task.word.mark(ABORTED);
                if task.word.wake().is_some() {
                    run(&task);
                }
            })
        };
        task.word.start();
        task.body.set(1);
        let again = task.word.pending();
        if again || task.word.load() & ABORTED != 0 {
            stop(&task);
        }
        aborter.join().unwrap();
    });
}

#[test]
fn two_aborts_and_a_wake_stop_a_task_once() {
    explore(|| {
        let task = Task::idle();
        let others = [true, false].map(|abort| {
            let task = task.clone();
            thread::spawn(move || {
                let won = if abort { task.word.abort() } else { task.word.wake() }.is_some();
                let mut again = won;
                while again {
                    again = run(&task);
                }
            })
        });
        let mut again = task.word.abort().is_some();
        while again {
            again = run(&task);
        }
        for other in others {
            other.join().unwrap();
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

fn raw_wake(word: &AtomicU32) -> bool {
    word.fetch_or(QUEUED | RUNNING, Ordering::AcqRel) & (LIVE | QUEUED | RUNNING) == LIVE
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
        assert!(!won || task.word.load() & (QUEUED | LIVE) == QUEUED | LIVE);
    });
}

/// BODY-2: the DETACHED flag decides who drops the output.
fn output(handle: fn(&Task), runner: fn(&Task)) {
    explore(move || {
        let task = Task::published();
        task.word.start();
        let joiner = {
            let task = task.clone();
            thread::spawn(move || handle(&task))
        };
        task.body.set(42);
        runner(&task);
        joiner.join().unwrap();
        assert_eq!(task.output_drops.load(Ordering::Relaxed), 1, "the output's drops");
    });
}

fn drop_output(task: &Task) {
    assert_eq!(task.body.get(), 42);
    task.body.set(0);
    task.output_drops.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn an_output_is_dropped_once() {
    output(
        |task| {
            if task.word.detach() & LIVE == 0 {
                drop_output(task);
            }
        },
        |task| {
            if task.word.done() & DETACHED != 0 {
                drop_output(task);
            }
        },
    );
}

#[test]
#[should_panic]
fn an_output_whose_owner_is_looked_up_before_the_step_is_dropped_twice_or_never() {
    output(
        |task| {
            let done = task.word.load() & LIVE == 0;
            task.word.detach();
            if done {
                drop_output(task);
            }
        },
        |task| {
            if task.word.done() & DETACHED != 0 {
                drop_output(task);
            }
        },
    );
}
