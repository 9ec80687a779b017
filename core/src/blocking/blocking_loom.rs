//! Models of a job's life: cancel against start, completion against drop, close against submit, a sleep against a
//! submit; each with the bug that its rule forbids.

use super::{Crew, Job, JobError, JobPool, Seat, Step};
use crate::support_loom::{explore, poll_once};
use core::pin::pin;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

/// Counts its calls; catches nothing, as no job of the models panics.
#[derive(Default)]
struct Calls(AtomicU32);

impl Crew for Calls {
    type Payload = u32;

    fn catch<R>(f: impl FnOnce() -> R) -> Result<R, u32> {
        Ok(f())
    }

    fn call(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn call_all(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Pool = JobPool<Calls, 2, 32>;

/// A static in real life; leaked for the model, which is small.
fn pool() -> &'static Pool {
    Box::leak(Box::new(JobPool::new(Calls::default())))
}

/// Counts how often a job ran, and how often its closure was dropped.
#[derive(Clone)]
struct Counted(Arc<(AtomicU32, AtomicU32)>);

impl Counted {
    fn new() -> Self {
        Self(Arc::new((AtomicU32::new(0), AtomicU32::new(0))))
    }

    fn job(&self) -> impl FnOnce() -> u32 + Send + 'static {
        struct Dropped(Counted);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.0.1.fetch_add(1, Ordering::Relaxed);
            }
        }
        let inside = Dropped(self.clone());
        move || {
            inside.0.0.0.fetch_add(1, Ordering::Relaxed);
            7
        }
    }

    fn ran(&self) -> u32 {
        self.0.0.load(Ordering::Relaxed)
    }

    fn dropped(&self) -> u32 {
        self.0.1.load(Ordering::Relaxed)
    }
}

fn everything_came_back(pool: &Pool) {
    assert_eq!(pool.counts(), (0, 0, 0), "a place was lost");
}

/// A holder takes its job back while a thread may start it.
fn cancel_against_start(cancel: fn(Job<u32, Calls>)) {
    explore(move || {
        let (pool, counted) = (pool(), Counted::new());
        let job = pool.submit(counted.job()).expect("a place");
        let thread = thread::spawn(move || pool.seat().step());
        cancel(job);
        let step = thread.join().unwrap();
        assert_eq!(counted.dropped(), 1, "the closure was dropped {} times", counted.dropped());
        assert_eq!(step == Step::Ran, counted.ran() == 1);
        everything_came_back(pool);
    });
}

#[test]
fn a_dropped_job_runs_or_is_dropped() {
    cancel_against_start(drop);
}

#[test]
fn a_detached_job_runs() {
    explore(|| {
        let (pool, counted) = (pool(), Counted::new());
        let job = pool.submit(counted.job()).expect("a place");
        let thread = thread::spawn(move || pool.seat().step());
        job.detach();
        assert_eq!(thread.join().unwrap(), Step::Ran);
        assert_eq!((counted.ran(), counted.dropped()), (1, 1));
        everything_came_back(pool);
    });
}

/// JOB-2 broken: the look and the step lie in two holds of the lock.
#[test]
#[should_panic(expected = "is not in the queue")]
fn a_job_taken_back_after_a_look_is_run_too() {
    cancel_against_start(|mut job| job.take_back_by_look());
}

/// A thread ends a job whose holder goes, or polls.
fn completion_against_drop(step: fn(&mut Seat<'_, Calls>) -> Step) {
    explore(move || {
        let (pool, counted) = (pool(), Counted::new());
        let job = pool.submit(counted.job()).expect("a place");
        let thread = thread::spawn(move || step(&mut pool.seat()));
        {
            let mut job = pin!(job);
            let _ = poll_once(job.as_mut());
        }
        thread.join().unwrap();
        assert_eq!(counted.dropped(), 1);
        everything_came_back(pool);
    });
}

#[test]
fn an_end_meets_its_holder_or_cleans_up() {
    completion_against_drop(|seat| seat.step());
}

/// JOB-3 broken: whether somebody holds the job is asked in one hold of the lock, and told in another.
#[test]
#[should_panic(expected = "a place was lost")]
fn an_end_after_a_look_loses_the_place() {
    completion_against_drop(|seat| seat.step_ending_by_look());
}

/// A close while somebody submits: the holder hears of an end in any case.
fn close_against_submit(submit: fn(&'static Pool, Counted) -> Option<Job<u32, Calls>>) {
    explore(move || {
        let (pool, counted) = (pool(), Counted::new());
        let inside = counted.clone();
        let thread = thread::spawn(move || submit(pool, inside));
        pool.close();
        let Some(job) = thread.join().unwrap() else { return everything_came_back(pool) };
        {
            let mut job = pin!(job);
            let ended = poll_once(job.as_mut());
            assert!(
                matches!(ended, core::task::Poll::Ready(Err(JobError::Closed))),
                "queued in a closed pool"
            );
        }
        assert_eq!((counted.ran(), counted.dropped()), (0, 1));
        everything_came_back(pool);
    });
}

#[test]
fn a_close_refuses_or_ends_what_is_submitted() {
    close_against_submit(|pool, counted| pool.submit(counted.job()).ok());
}

/// JOB-5 broken.
#[test]
#[should_panic(expected = "queued in a closed pool")]
fn a_submit_that_looked_before_the_close_hangs() {
    close_against_submit(|pool, counted| pool.try_reserve().ok()?.submit_by_look(counted.job()));
}

/// A thread falls asleep while a job is queued: it finds the job, or it is called.
fn sleep_against_submit(step: fn(&mut Seat<'_, Calls>) -> Step) {
    explore(move || {
        let (pool, counted) = (pool(), Counted::new());
        let thread = thread::spawn(move || {
            let mut seat = pool.seat();
            if step(&mut seat) == Step::Idle && pool.crew().0.load(Ordering::Relaxed) > 0 {
                step(&mut seat);
            }
            // It sleeps on; that it will be called is what counts.
            core::mem::forget(seat);
        });
        pool.submit(counted.job()).expect("a place").detach();
        thread.join().unwrap();
        let called = pool.crew().0.load(Ordering::Relaxed) > 0;
        assert!(counted.ran() == 1 || called, "the thread sleeps over the job");
        // What it would have run.
        pool.close();
        assert_eq!(counted.dropped(), 1);
    });
}

#[test]
fn a_sleeper_finds_the_job_or_is_called() {
    sleep_against_submit(|seat| seat.step());
}

/// JOB-4 broken.
#[test]
#[should_panic(expected = "the thread sleeps over the job")]
fn a_sleeper_that_counts_itself_late_is_not_called() {
    sleep_against_submit(|seat| seat.step_counting_late());
}

/// A place that comes back goes to one who waits for it, also while that one leaves.
#[test]
fn a_freed_place_reaches_the_next_or_is_free() {
    explore(|| {
        let pool = pool();
        let (first, second) = (pool.try_reserve().expect("free"), pool.try_reserve().expect("free"));
        let thread = thread::spawn(move || drop(first));
        {
            let mut waits = pin!(pool.reserve());
            let _ = poll_once(waits.as_mut());
        }
        thread.join().unwrap();
        drop(second);
        everything_came_back(pool);
        let both = (pool.try_reserve(), pool.try_reserve());
        assert!(both.0.is_ok() && both.1.is_ok(), "a place was lost");
    });
}
