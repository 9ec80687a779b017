//! A pending that is put off, beside wakers and aborters on other threads (STATE-8).

use super::*;

/// What the runner does with a task that it has polled and may hold; true when the task is in the queue again.
type Hold = fn(&Task) -> bool;

/// The step is made up for; nobody here has woken the task.
fn made_up(task: &Task) -> bool {
    task.word.is_woken() || task.word.pending()
}

/// The runner's thread has woken it.
fn woken_here(task: &Task) -> bool {
    task.next.set(1);
    true
}

/// A runner that holds the task after its first poll, beside a waker; the last poll sees the waker's news.
fn hold(hold: Hold, wake: fn(&Task) -> bool) {
    explore(move || {
        let task = Task::published();
        let waker = {
            let task = task.clone();
            thread::spawn(move || {
                task.news.store(7, Ordering::Relaxed);
                let won = wake(&task);
                if won {
                    task.next.set(2);
                }
                won
            })
        };
        let mut seen = task.poll();
        let mut again = hold(&task);
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

#[test]
fn a_wake_of_a_held_task_is_seen_when_the_step_is_made_up_for() {
    hold(made_up, |task| task.word.wake().is_some());
}

#[test]
fn a_held_task_that_is_woken_here_is_queued_once() {
    hold(woken_here, |task| task.word.wake().is_some());
}

#[test]
#[should_panic(expected = "did not see")]
fn a_held_task_whose_step_is_never_made_up_for_loses_a_wake() {
    hold(|task| task.word.is_woken(), |task| task.word.wake().is_some());
}

/// Somebody who has not run the task takes it for his own.
#[test]
#[should_panic(expected = "did not see")]
fn a_wake_of_a_held_task_without_a_step_is_for_its_runners_thread_alone() {
    hold(made_up, |task| task.word.load() & RUNNING == 0 && task.word.wake().is_some());
}

/// It is in the queue and held at once, so its RUNNING is taken away there.
#[test]
#[should_panic]
fn a_held_task_that_is_woken_and_stays_held_has_two_owners() {
    hold(
        |task| {
            let again = woken_here(task);
            let _ = task.word.pending();
            again
        },
        |task| task.word.wake().is_some(),
    );
}

/// An abort meets a task that is held.
fn abort_of_held(hold: Hold) {
    explore(move || {
        let task = Task::published();
        let aborter = {
            let task = task.clone();
            thread::spawn(move || task.word.abort().is_some())
        };
        let mut again = if task.word.start() & ABORTED != 0 {
            stop(&task);
            false
        } else {
            task.body.set(1);
            hold(&task)
        };
        while again {
            again = run(&task);
        }
        if aborter.join().unwrap() {
            assert!(!run(&task), "it stops");
        }
        assert_eq!(task.word.load() & LIVE, 0, "the abort is lost");
    });
}

#[test]
fn an_abort_of_a_held_task_is_found_when_the_step_is_made_up_for() {
    abort_of_held(made_up);
}

#[test]
fn an_abort_of_a_held_task_that_is_woken_here_is_found_by_its_start_or_its_pending() {
    abort_of_held(woken_here);
}
