//! A model of a scope's end: the scope is waited for by a count that the last finisher lowers.
//!
//! SCOPE-1 on threads: the count lies in the scope, which is gone as soon as its waiter sees zero. So a finisher
//! writes its body first, then lowers the count with release, and has not looked at body or scope since; whom
//! it rings it has read before (SCOPE-3). The waiter sleeps in a turn of its worker, and the last finisher nudges that.

use crate::exec::Parker;
use crate::support_loom::{Plain, explore};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use loom::thread;

/// Memory that no longer is the scope's.
const GONE: u32 = 99;
const OUTPUT: u32 = 42;
const TASKS: usize = 2;

/// The stack around a scope, and the thread that waits there.
struct Scope {
    live: AtomicU32,
    /// The scope's other memory.
    scope: Plain,
    bodies: [Plain; TASKS],
    waiter: thread::Thread,
}

/// Ends the scope after one finisher a body; each body's output must be there.
fn scope_with(finish: fn(&Scope, usize)) {
    scope_that(thread::park, finish);
}

/// The same, with what the waiter does between two looks.
fn scope_that(waits: fn(), finish: fn(&Scope, usize)) {
    explore(move || {
        let scope = Arc::new(Scope {
            live: AtomicU32::new(TASKS as u32),
            scope: Plain::new(0),
            bodies: [Plain::new(0), Plain::new(0)],
            waiter: thread::current(),
        });
        for body in 0..TASKS {
            let scope = scope.clone();
            thread::spawn(move || finish(&scope, body));
        }
        while scope.live.load(Ordering::Acquire) > 0 {
            waits();
        }
        // The frame is popped, and used for something else.
        for body in &scope.bodies {
            assert_eq!(body.get(), OUTPUT);
            body.set(GONE);
        }
        scope.live.store(GONE, Ordering::Relaxed);
        scope.scope.set(GONE);
    });
}

/// The finisher's last look is the step that lowers the count.
fn ended(scope: &Scope, body: usize) {
    assert_ne!(scope.scope.get(), GONE);
    scope.bodies[body].set(OUTPUT);
    if scope.live.fetch_sub(1, Ordering::AcqRel) == 1 {
        scope.waiter.unpark();
    }
}

#[test]
fn a_scope_ends_after_its_last_finisher() {
    scope_with(ended);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_count_lowered_without_release_ends_the_scope_before_its_bodies() {
    scope_with(|scope, body| {
        scope.bodies[body].set(OUTPUT);
        if scope.live.fetch_sub(1, Ordering::Relaxed) == 1 {
            scope.waiter.unpark();
        }
    });
}

#[test]
#[should_panic]
fn a_count_lowered_before_the_output_is_written_ends_the_scope_too_early() {
    scope_with(|scope, body| {
        let last = scope.live.fetch_sub(1, Ordering::AcqRel) == 1;
        scope.bodies[body].set(OUTPUT);
        if last {
            scope.waiter.unpark();
        }
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_finisher_that_looks_whether_it_is_the_last_before_its_step_rings_nobody() {
    scope_with(|scope, body| {
        scope.bodies[body].set(OUTPUT);
        let last = scope.live.load(Ordering::Acquire) == 1;
        scope.live.fetch_sub(1, Ordering::AcqRel);
        if last {
            scope.waiter.unpark();
        }
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_finisher_that_looks_at_the_scope_after_its_step_finds_it_gone() {
    scope_with(|scope, body| {
        scope.bodies[body].set(OUTPUT);
        let last = scope.live.fetch_sub(1, Ordering::AcqRel) == 1;
        let _ = scope.scope.get();
        if last {
            scope.waiter.unpark();
        }
    });
}

#[test]
fn a_scope_whose_waiter_is_awake_ends_after_its_last_finisher() {
    scope_that(thread::yield_now, ended);
}

/// A waiter that sleeps until it is rung never meets this finisher, one that is turned by other things does.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_finisher_that_asks_the_scope_after_its_step_asks_another_frame() {
    scope_that(thread::yield_now, |scope, body| {
        scope.bodies[body].set(OUTPUT);
        let last = scope.live.fetch_sub(1, Ordering::AcqRel) == 1;
        // A place for loom to let the waiter run: it does so at atomic accesses only.
        thread::yield_now();
        if last && scope.scope.get() != GONE {
            scope.waiter.unpark();
        }
    });
}

/// The worker on whose thread a scope waits. It is static, so the last finisher may use it after its step.
struct Home {
    live: AtomicU32,
    parker: Parker,
    nudged: AtomicBool,
    bell: thread::Thread,
}

/// Waits for one finisher, with turns that may sleep.
fn waits_with(turn: fn(&Home)) {
    explore(move || {
        // Not loom's: its drop is a step, and a deadlock found there would abort.
        let home = std::sync::Arc::new(Home {
            live: AtomicU32::new(1),
            parker: Parker::new(),
            nudged: AtomicBool::new(false),
            bell: thread::current(),
        });
        let finisher = home.clone();
        thread::spawn(move || {
            if finisher.live.fetch_sub(1, Ordering::AcqRel) == 1 {
                finisher.nudged.store(true, Ordering::Release);
                if finisher.parker.must_ring() {
                    finisher.bell.unpark();
                }
            }
        });
        while home.live.load(Ordering::Acquire) > 0 {
            turn(&home);
        }
    });
}

fn sleep(home: &Home) {
    if home.parker.prepare(|| !home.nudged.load(Ordering::Relaxed)) {
        thread::park();
    }
    home.parker.awake();
}

#[test]
fn a_nudge_is_taken_where_a_sleep_is_refused() {
    waits_with(|home| {
        if home.nudged.load(Ordering::Relaxed) {
            home.nudged.swap(false, Ordering::Acquire);
        } else {
            sleep(home);
        }
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_nudge_taken_as_a_turn_begins_may_be_for_a_look_that_has_been() {
    waits_with(|home| {
        home.nudged.swap(false, Ordering::Acquire);
        sleep(home);
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_nudge_that_the_last_look_before_a_sleep_does_not_see_is_slept_over() {
    waits_with(|home| {
        if home.nudged.load(Ordering::Relaxed) {
            home.nudged.swap(false, Ordering::Acquire);
        } else {
            if home.parker.prepare(|| true) {
                thread::park();
            }
            home.parker.awake();
        }
    });
}
