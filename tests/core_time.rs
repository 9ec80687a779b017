//! Timers on the virtual clock: never early, in order, cancelled, far away; intervals and timeouts.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use unboxed::event_loop::EventLoop;
use unboxed::event_loop::scripted::OnCancel;
use unboxed::exec::Budget;
use unboxed::op::{Error, Nop, Operation, nop};
use unboxed::task::yield_now;
use unboxed::time::{Elapsed, Instant, MissedTicks, interval, sleep, sleep_until, timeout};
use unboxed_tests::{Rng, body, drain, for_seeds, lab, poll_once, settle};

const TICK: u64 = 1 << 14;
const MS: Duration = Duration::from_millis(1);

#[test]
fn a_sleep_is_never_early_and_late_by_a_tick_at_most() {
    lab!(ex, script, run, pool = 1, ops = 1);
    for ns in
        [0, 1, TICK - 1, TICK, TICK + 1, 63 * TICK, 64 * TICK, 65 * TICK + 7, 4096 * TICK, 1_000_000_007]
    {
        let (before, after) = ex.block_on(async {
            let before = Instant::now().unwrap();
            sleep(Duration::from_nanos(ns)).await.unwrap();
            (before, Instant::now().unwrap())
        });
        let slept = after.ns - before.ns;
        assert!(slept >= ns && slept <= ns + 2 * TICK, "{slept} for {ns}");
    }
    assert_eq!(ex.in_flight(), 0);
    let _ = run::memory();
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    lab!(ex, script, run, pool = 8, ops = 1);
    let log = Arc::new(Mutex::new(Vec::new()));
    for ms in [70, 3, 500, 1, 9_000, 3, 40] {
        let log = log.clone();
        ex.enter(|| {
            run::spawn(body(async move {
                sleep(MS * ms).await.unwrap();
                log.lock().unwrap().push(ms);
                1
            }))
        })
        .unwrap()
        .detach();
    }
    ex.block_on(sleep(MS * 10_000)).unwrap();
    assert_eq!(*log.lock().unwrap(), [1, 3, 3, 40, 70, 500, 9_000]);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn a_moment_that_has_passed_ends_at_once() {
    lab!(ex, script, run, pool = 1, ops = 1);
    script.advance(50);
    ex.block_on(sleep_until(Instant { ns: 50 })).unwrap();
    assert_eq!(ex.in_flight(), 0);
    let _ = run::memory();
}

#[test]
fn many_random_timers_agree_with_a_sorted_list() {
    lab!(ex, script, run, pool = 256, ops = 1);
    for_seeds(30, |seed| {
        let mut rng = Rng::new(seed);
        let log: Arc<Mutex<Vec<(u64, u64)>>> = Arc::default();
        let start = script.now();
        let mut model = Vec::new();
        let mut dropped = Vec::new();
        for id in 0..200u64 {
            let bits = rng.below(44);
            let ns = rng.below(1 << bits);
            let log = log.clone();
            let lives = rng.below(5) != 0;
            let handle = ex
                .enter(|| {
                    run::spawn(body(async move {
                        let at = Instant { ns: start + ns };
                        sleep_until(at).await.unwrap();
                        let now = Instant::now().unwrap();
                        assert!(now >= at, "early");
                        log.lock().unwrap().push((at.ns, now.ns));
                        id
                    }))
                })
                .unwrap();
            if lives {
                model.push(start + ns);
                handle.detach();
            } else {
                dropped.push((start + ns, handle));
            }
            if rng.below(3) == 0 {
                ex.turn(Budget::POLL);
            }
        }
        ex.turn(Budget::POLL);
        // Those due at once may have ended; the others are aborted before their time.
        for (at, handle) in dropped {
            if handle.is_finished() || at <= script.now() {
                model.push(at)
            } else {
                handle.abort()
            }
            handle.detach();
        }
        let mut steps = 0;
        while run::memory().used != 0 {
            if rng.below(2) == 0 {
                script.advance(rng.below(1 << rng.clone().below(40)));
                ex.turn(Budget::POLL);
            } else if ex.in_flight() != 0 {
                ex.turn(Budget::SLEEP);
            } else {
                ex.turn(Budget::POLL);
            }
            steps += 1;
            assert!(steps < 100_000, "it does not end");
        }
        let mut seen: Vec<u64> = log.lock().unwrap().iter().map(|entry| entry.0).collect();
        assert!(log.lock().unwrap().is_sorted_by_key(|entry| entry.1));
        seen.sort_unstable();
        model.sort_unstable();
        assert_eq!(seen, model);
        assert_eq!(ex.in_flight(), 0);
    });
}

#[test]
fn a_dropped_timer_gives_its_slot_back_at_once() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let handle = ex
        .enter(|| {
            run::spawn(body(async {
                for i in 0..100 {
                    let mut timer = sleep(MS * (1 + i * i));
                    assert!(poll_once(&mut timer).await.is_pending());
                }
                1
            }))
        })
        .unwrap();
    settle(&mut ex);
    assert_eq!(ex.block_on(handle), Ok(1));
    assert_eq!((ex.in_flight(), run::memory().used, script.now()), (0, 0, 0));
}

#[test]
fn a_cancelled_timer_says_so() {
    lab!(ex, script, run, pool = 1, ops = 1);
    assert_eq!(
        ex.block_on(async {
            let mut timer = sleep(MS);
            assert!(poll_once(&mut timer).await.is_pending());
            timer.cancel().await
        }),
        Err(Error::Cancelled)
    );
    assert_eq!((ex.in_flight(), script.now()), (0, 0));
    let _ = run::memory();
}

#[test]
fn far_deadlines_neither_fire_nor_hang() {
    lab!(ex, script, run, pool = 8, ops = 1);
    let day = Duration::from_secs(86_400);
    let far = [Duration::MAX, Duration::from_nanos(u64::MAX - 1), day * 365 * 400, day * 365 * 3];
    for duration in far {
        ex.enter(|| {
            run::spawn(body(async move {
                sleep(duration).await.unwrap();
                1
            }))
        })
        .unwrap()
        .detach();
    }
    settle(&mut ex);
    for days in [1, 2, 40, 300] {
        let before = script.now();
        ex.block_on(sleep(day * days)).unwrap();
        let slept = Duration::from_nanos(script.now() - before);
        assert!(slept >= day * days && slept < day * days + MS);
    }
    assert_eq!(run::memory().used, 4);
    script.advance(u64::try_from((day * 365 * 2).as_nanos()).unwrap());
    ex.block_on(sleep(day * 370)).unwrap();
    settle(&mut ex);
    assert_eq!(run::memory().used, 3, "the one of three years");
    let report = ex.close(0);
    assert_eq!((report.aborted, report.detached, run::memory().used), (3, 0, 0));
}

/// Ticks at which a late consumer sees them: period 10 ms, 35 ms late after the first.
fn ticks(ex: &mut unboxed::exec::Executor, missed: MissedTicks) -> Vec<u64> {
    ex.block_on(async {
        let start = Instant::now().unwrap().ns;
        let mut ticks = interval(MS * 10, missed);
        let mut seen = Vec::new();
        for i in 0..6 {
            seen.push((ticks.tick().await.unwrap().ns - start) / 100_000);
            if i == 0 {
                sleep(MS * 35).await.unwrap()
            }
        }
        seen
    })
}

#[test]
fn an_interval_that_bursts_catches_up() {
    lab!(ex, script, run, pool = 1, ops = 1);
    assert_eq!(ticks(&mut ex, MissedTicks::Burst), [100, 200, 300, 400, 500, 600]);
    let _ = run::memory();
}

#[test]
fn an_interval_that_skips_keeps_its_schedule() {
    lab!(ex, script, run, pool = 1, ops = 1);
    assert_eq!(ticks(&mut ex, MissedTicks::Skip), [100, 200, 500, 600, 700, 800]);
    let _ = run::memory();
}

#[test]
fn an_interval_that_delays_begins_anew() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let seen = ticks(&mut ex, MissedTicks::Delay);
    assert_eq!(seen[..3], [100, 200, 550]);
    assert!(seen[3] >= 650 && seen[3] <= 651);
    let _ = run::memory();
}

#[test]
fn a_dropped_tick_is_not_lost() {
    lab!(ex, script, run, pool = 1, ops = 1);
    let first = ex.block_on(async {
        let mut ticks = interval(MS * 10, MissedTicks::Burst);
        {
            let mut tick = Box::pin(ticks.tick());
            assert!(poll_once(&mut tick).await.is_pending());
        }
        sleep(MS * 25).await.unwrap();
        ticks.tick().await.unwrap().ns
    });
    assert_eq!(first, 10_000_000);
    assert_eq!(ex.in_flight(), 0);
    let _ = run::memory();
}

#[test]
fn a_timeout_gives_the_result_that_comes_in_time() {
    lab!(ex, script, run, pool = 1, ops = 2);
    script.automatic(Some(|_| Some(0)));
    let handle = ex
        .enter(|| {
            run::spawn(body(async {
                // More of them than slots: each gives both of its slots back.
                for _ in 0..20 {
                    assert_eq!(timeout(MS, nop()).await, Ok(Ok(())))
                }
                1
            }))
        })
        .unwrap();
    assert_eq!(ex.block_on(handle), Ok(1));
    assert_eq!((ex.in_flight(), run::memory().used, script.now()), (0, 0, 0));
}

#[test]
fn a_timeout_cancels_what_is_late_and_waits_for_its_end() {
    lab!(ex, script, run, pool = 1, ops = 2);
    assert_eq!(ex.block_on(timeout(MS, nop())), Err(Elapsed));
    assert_eq!((ex.in_flight(), script.pending_len()), (0, 0));
    let _ = run::memory();
}

#[test]
fn a_timeout_keeps_a_result_that_outruns_the_cancel() {
    lab!(ex, script, run, pool = 1, ops = 2);
    script.on_cancel(OnCancel::CompleteFirst(0));
    assert_eq!(ex.block_on(timeout(MS, nop())), Ok(Ok(())));
    assert_eq!(ex.in_flight(), 0);
    let _ = run::memory();
}

#[test]
fn a_completion_together_with_the_time_limit_is_kept() {
    lab!(ex, script, run, pool = 1, ops = 2);
    let handle = ex
        .enter(|| {
            run::spawn(body(async {
                assert_eq!(timeout(MS, nop()).await, Ok(Ok(())));
                1
            }))
        })
        .unwrap();
    settle(&mut ex);
    script.complete(script.pending(0).unwrap().token, 0);
    script.advance(5_000_000);
    assert_eq!(ex.block_on(handle), Ok(1));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn a_timeout_on_a_full_loop_ends() {
    lab!(ex, script, run, pool = 3, ops = 2);
    script.limit_submissions(1);
    for _ in 0..3 {
        ex.enter(|| {
            run::spawn(body(async {
                assert_eq!(timeout(MS, nop()).await, Err(Elapsed));
                1
            }))
        })
        .unwrap()
        .detach();
    }
    ex.block_on(sleep(MS * 3)).unwrap();
    settle(&mut ex);
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}

#[test]
fn a_timer_may_be_awaited_in_another_task_and_outlive_its_own() {
    lab!(ex, script, run, pool = 2, ops = 2);
    let shared: Arc<Mutex<Option<(unboxed::time::Sleep, Nop)>>> = Arc::default();
    let (ours, theirs) = (shared.clone(), shared.clone());
    let owner = ex
        .enter(|| {
            run::spawn(body(async move {
                let (mut timer, mut op) = (sleep(MS), nop());
                let _ = (poll_once(&mut timer).await, poll_once(&mut op).await);
                *ours.lock().unwrap() = Some((timer, op));
                std::future::pending().await
            }))
        })
        .unwrap();
    settle(&mut ex);
    let other = ex
        .enter(|| {
            run::spawn(body(async move {
                yield_now().await;
                let (timer, op) = theirs.lock().unwrap().take().unwrap();
                drop(op);
                assert_eq!(timer.await, Err(Error::TaskEnded));
                1
            }))
        })
        .unwrap();
    settle(&mut ex);
    owner.abort();
    drop(owner);
    drain(&mut ex, script);
    assert_eq!(ex.block_on(other), Ok(1));
    assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
}
