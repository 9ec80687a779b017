//! A model of a scope's end: the scope is waited for by a count that the last finisher lowers.
//!
//! SCOPE-1 on threads: the count lies in the scope, which is gone as soon as its waiter sees zero. So a finisher
//! writes its body first, then lowers the count with release, and has not looked at body or scope since; whom
//! it rings it has read before. How the waiter sleeps without losing the ring is PARK-1's matter.

use crate::support_loom::{Plain, explore};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
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
            thread::park();
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
