//! Aborts, and whose the output is.

use super::*;

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
