//! The timer wheel against a plain list of deadlines: timers begun, dropped, cancelled and fired in random order, near
//! and so far that every level is crossed. `SEED=N` replays a failure.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use unboxed::event_loop::EventLoop;
use unboxed::exec::{Budget, Executor};
use unboxed::op::{Error, Operation};
use unboxed::time::{Instant, Sleep, sleep_until};
use unboxed_tests::{Body, Rng, Script, body, for_seeds, lab};

const TICK: u64 = 1 << 14;
/// The task's slots.
const LIVE_MAX: usize = 40;

/// What a poll of the task does.
#[derive(Clone, Copy)]
enum Phase {
    /// Nothing: the wheel has woken it.
    Idle,
    Steps(u64),
    Check,
    End,
}

struct Timer {
    sleep: Pin<Box<Sleep>>,
    at: u64,
    cancelled: bool,
}

/// The first moment, in ticks, at which a timer begun at `now` may fire.
fn due(at: u64, now: u64) -> u64 {
    at.div_ceil(TICK).max(now / TICK + 1)
}

/// A moment at any distance, and often one where a level of the wheel begins, or just beside it.
fn moment(rng: &mut Rng, now: u64) -> u64 {
    let bits = [14, 22, 30, 36, 42, 48, 54, 60, 63][rng.below(9) as usize];
    let ahead = match rng.below(4) {
        0 => (((now >> bits) + 1 + rng.below(3)) << bits).wrapping_sub(now),
        _ => rng.below(1 << bits),
    };
    let near = rng.below(3) * TICK / 2;
    now.saturating_add(ahead).saturating_add(near).saturating_sub(rng.below(3) * TICK)
}

struct Model {
    rng: Rng,
    phase: Phase,
    waker: Option<Waker>,
    timers: Vec<Timer>,
    fired: u64,
    dropped: u64,
}

impl Model {
    /// One step inside of the task.
    fn step(&mut self, now: u64, cx: &mut Context<'_>) {
        let full = self.timers.len() == LIVE_MAX;
        match self.rng.below(8) {
            0..4 if !full => self.begin(now, cx),
            4 if !self.timers.is_empty() => {
                let index = self.rng.below(self.timers.len() as u64) as usize;
                drop(self.timers.swap_remove(index));
                self.dropped += 1;
            }
            5 if !self.timers.is_empty() => {
                let index = self.rng.below(self.timers.len() as u64) as usize;
                let timer = &mut self.timers[index];
                timer.sleep.as_mut().request_cancel(cx);
                timer.cancelled = true;
            }
            _ => {}
        }
    }

    fn begin(&mut self, now: u64, cx: &mut Context<'_>) {
        let at = match self.rng.below(4) {
            // One that there is already, so that lists are long.
            0 if !self.timers.is_empty() => {
                let index = self.rng.below(self.timers.len() as u64) as usize;
                self.timers[index].at
            }
            _ => moment(&mut self.rng, now),
        };
        let mut sleep = Box::pin(sleep_until(Instant { ns: at }));
        match sleep.as_mut().poll(cx) {
            Poll::Ready(ended) => assert!(ended == Ok(()) && at <= now, "{ended:?} for {at} at {now}"),
            Poll::Pending => {
                assert!(at > now, "a moment that has passed: {at} at {now}");
                self.timers.push(Timer { sleep, at: due(at, now).saturating_mul(TICK), cancelled: false });
            }
        }
    }

    /// After a turn that fired what was due at `now`: those that were due have ended, and no others.
    fn check(&mut self, now: u64, cx: &mut Context<'_>) {
        let before = self.timers.len();
        self.timers.retain_mut(|timer| match timer.sleep.as_mut().poll(cx) {
            Poll::Ready(Ok(())) => {
                assert!(timer.at <= now, "early: {} at {now}", timer.at);
                false
            }
            Poll::Ready(Err(error)) => {
                assert!(timer.cancelled && error == Error::Cancelled, "{error}");
                false
            }
            Poll::Pending => {
                assert!(timer.at > now, "late: {} at {now}", timer.at);
                assert!(!timer.cancelled, "a cancelled timer goes on");
                true
            }
        });
        self.fired += (before - self.timers.len()) as u64;
    }
}

fn advance(rng: &mut Rng, script: &Script, next: Option<u64>) {
    let now = script.now();
    let bits = 10 + rng.below(34);
    let by = match (rng.below(4), next) {
        // Just to the next timer, or a tick before or behind it.
        (0, Some(next)) => (next - now).saturating_add(TICK).saturating_sub(rng.below(3) * TICK),
        (1, _) => 0,
        (2, _) if rng.below(100) == 0 => rng.below(1 << 54),
        _ => rng.below(1 << bits),
    };
    // The clock goes on from seed to seed, and must not come to its end.
    if by < 1 << 54 {
        script.advance(by);
    }
}

/// The task that has the timers, which does in each poll what the phase says, once.
fn task(model: Arc<Mutex<Model>>, script: &'static Script) -> Body {
    body(poll_fn(move |cx| {
        let model = &mut *model.lock().unwrap();
        let now = script.now();
        model.waker = Some(cx.waker().clone());
        match std::mem::replace(&mut model.phase, Phase::Idle) {
            Phase::Idle => {}
            Phase::Steps(steps) => (0..steps).for_each(|_| model.step(now, cx)),
            Phase::Check => model.check(now, cx),
            Phase::End => {
                model.dropped += model.timers.len() as u64;
                model.timers.clear();
                return Poll::Ready(0);
            }
        }
        Poll::Pending
    }))
}

fn play(ex: &mut Executor, model: &Mutex<Model>, phase: Phase) {
    let waker = {
        let mut model = model.lock().unwrap();
        model.phase = phase;
        model.waker.clone()
    };
    waker.inspect(Waker::wake_by_ref);
    ex.turn(Budget::POLL);
}

#[test]
fn the_wheel_agrees_with_a_list_of_deadlines() {
    lab!(ex, script, run, pool = 1, ops = 40);
    let mut totals = (0, 0);
    for_seeds(200, |seed| {
        let mut rng = Rng::new(seed ^ 0x5eed);
        let model = Model {
            rng: Rng::new(seed),
            phase: Phase::Idle,
            waker: None,
            timers: Vec::new(),
            fired: 0,
            dropped: 0,
        };
        let model = Arc::new(Mutex::new(model));
        ex.enter(|| run::spawn(task(model.clone(), script))).unwrap().detach();
        for _ in 0..300 {
            play(&mut ex, &model, Phase::Steps(rng.below(6)));
            let next = model.lock().unwrap().timers.iter().map(|timer| timer.at).min();
            advance(&mut rng, script, next);
            // This turn fires what is due, and the next one polls.
            ex.turn(Budget::POLL);
            play(&mut ex, &model, Phase::Check);
        }
        play(&mut ex, &model, Phase::End);
        assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
        let model = model.lock().unwrap();
        totals = (totals.0 + model.fired, totals.1 + model.dropped);
    });
    assert!(std::env::var_os("SEED").is_some() || totals.0.min(totals.1) > 10_000, "{totals:?}");
}

/// More timers of one moment than one turn fires, and some of them leave in between.
#[test]
fn a_moment_of_many_timers_fires_over_several_turns() {
    lab!(ex, script, run, pool = 2000, ops = 1);
    for_seeds(10, |seed| {
        let mut rng = Rng::new(seed);
        let at = script.now() + TICK + rng.below(1 << 30);
        let sleeper = || body(async move { sleep_until(Instant { ns: at }).await.map_or(0, |()| 1) });
        let mut tasks: Vec<_> = (0..2000).map(|_| ex.enter(|| run::spawn(sleeper())).unwrap()).collect();
        while ex.turn(Budget::POLL).more {}
        script.advance(at + TICK - script.now());
        let (mut turns, mut aborted) = (0, 0);
        while run::memory().used > 0 {
            for _ in 0..20.min(tasks.len()) {
                let task = tasks.swap_remove(rng.below(tasks.len() as u64) as usize);
                aborted += usize::from(!task.is_finished());
                task.abort();
            }
            ex.turn(Budget::POLL);
            tasks.retain(|task| !task.is_finished());
            turns += 1;
            assert!(turns < 100, "timers that are due do not fire");
        }
        assert_eq!(ex.in_flight(), 0);
        assert!(turns > 5 && aborted > 50, "{turns} turns, {aborted} left before their time");
    });
}
