//! Everything wrong at once: random tasks that begin, drop, forget, cancel and swap operations, abort each
//! other and panic, under a loop that completes in random order. Afterwards nothing may be left.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use unboxed::event_loop::scripted::OnCancel;
use unboxed::op::{Error, Operation, nop};
use unboxed::task::{AbortHandle, yield_now};
use unboxed::time::{sleep, timeout};
use unboxed_tests::{Body, Rng, body, for_seeds, lab, settle, turn};

type AnyOp = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What the tasks of a run share.
#[derive(Default)]
struct Shared {
    ops: Vec<AnyOp>,
    aborts: Vec<AbortHandle>,
    wakers: Vec<Waker>,
}

fn any_op(rng: &mut Rng) -> AnyOp {
    let ns = Duration::from_nanos(rng.below(1 << 22));
    match rng.below(6) {
        0 => Box::pin(sleep(ns)),
        1 => Box::pin(nop().cancel()),
        2 => Box::pin(sleep(ns).cancel()),
        3 => Box::pin(async move { timeout(ns, nop()).await.unwrap_or(Ok(())) }),
        _ => Box::pin(nop()),
    }
}

fn pick<T>(rng: &mut Rng, from: &mut Vec<T>) -> Option<T> {
    let len = from.len() as u64;
    (len != 0).then(|| from.swap_remove(rng.below(len) as usize))
}

/// One poll; whatever it gives is fine.
fn poke(op: &mut AnyOp, cx: &mut Context<'_>) -> bool {
    op.as_mut().poll(cx).is_ready()
}

async fn misbehave(mut rng: Rng, shared: Arc<Mutex<Shared>>) -> u64 {
    let mut mine: Vec<AnyOp> = Vec::new();
    for _ in 0..rng.below(30) {
        match rng.below(20) {
            0..=4 => {
                let mut op = any_op(&mut rng);
                if !poll_fn(|cx| Poll::Ready(poke(&mut op, cx))).await {
                    mine.push(op);
                }
            }
            5 | 6 => drop(pick(&mut rng, &mut mine)),
            7 => std::mem::forget(pick(&mut rng, &mut mine)),
            8 | 9 => {
                if let Some(op) = pick(&mut rng, &mut mine) {
                    shared.lock().unwrap().ops.push(op);
                }
            }
            10 | 11 => {
                let taken = pick(&mut rng, &mut shared.lock().unwrap().ops);
                mine.extend(taken);
            }
            12 => {
                if let Some(abort) = pick(&mut rng, &mut shared.lock().unwrap().aborts) {
                    abort.abort();
                }
            }
            13 | 14 => {
                if let Some(op) = pick(&mut rng, &mut mine) {
                    let _ = op.await;
                }
            }
            15 => {
                if let Some(mut op) = pick(&mut rng, &mut mine)
                    && !poll_fn(|cx| Poll::Ready(poke(&mut op, cx))).await
                {
                    mine.push(op);
                }
            }
            16 => {
                let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                let old = {
                    let mut shared = shared.lock().unwrap();
                    shared.wakers.push(waker);
                    (shared.wakers.len() > 8).then(|| shared.wakers.remove(0))
                };
                if let Some(waker) = old {
                    waker.wake();
                }
            }
            17 if rng.below(6) == 0 => std::panic::panic_any("misbehaved"),
            18 => std::mem::swap(&mut mine, &mut shared.lock().unwrap().ops),
            _ => yield_now().await,
        }
    }
    mine.len() as u64
}

thread_local! {
    static QUIET: RefCell<bool> = const { RefCell::new(false) };
}

/// Panics of the tasks here are wanted; their messages are not.
fn quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    QUIET.set(true);
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let wanted = info.payload().downcast_ref::<&str>() == Some(&"misbehaved");
            if !(wanted && QUIET.with_borrow(|q| *q)) {
                hook(info);
            }
        }));
    });
}

macro_rules! misuse {
    ($seeds:literal, $threads:literal) => {{
        lab!(ex, script, run, pool = 12, ops = 3, spares = 2);
        quiet();
        for_seeds($seeds, |seed| {
            let mut rng = Rng::new(seed);
            let shared: Arc<Mutex<Shared>> = Arc::default();
            let mut joins = Vec::new();
            let mut threads = Vec::new();
            for _ in 0..400 {
                match rng.below(12) {
                    0..=2 => {
                        let task: Body = body(misbehave(Rng::new(rng.draw()), shared.clone()));
                        if let Ok(join) = ex.enter(|| run::spawn(task)) {
                            shared.lock().unwrap().aborts.push(join.abort_handle());
                            joins.push(join);
                        }
                    }
                    3 => drop(pick(&mut rng, &mut joins)),
                    4..=6 => {
                        let count = script.pending_len() as u64;
                        if count != 0 {
                            let op = script.pending(rng.below(count) as usize).unwrap();
                            script.complete(op.token, if rng.below(3) == 0 { -5 } else { 0 });
                        }
                    }
                    7 => script.on_cancel(match rng.below(3) {
                        0 => OnCancel::Cancel,
                        1 => OnCancel::CompleteFirst(0),
                        _ => OnCancel::Ignore,
                    }),
                    8 => {
                        script.limit_submissions(if rng.below(2) == 0 { 2 } else { u32::MAX });
                        script.limit_completions(if rng.below(2) == 0 { 1 } else { u32::MAX });
                    }
                    9 => script.advance(rng.below(1 << 20)),
                    10 if $threads && threads.len() < 8 => {
                        let (shared, mut rng) = (shared.clone(), Rng::new(rng.draw()));
                        threads.push(std::thread::spawn(move || {
                            let mut cx = Context::from_waker(Waker::noop());
                            for _ in 0..20 {
                                let op = pick(&mut rng, &mut shared.lock().unwrap().ops);
                                if let Some(mut op) = op
                                    && !poke(&mut op, &mut cx)
                                    && rng.below(2) == 0
                                {
                                    shared.lock().unwrap().ops.push(op);
                                }
                                if let Some(waker) = pick(&mut rng, &mut shared.lock().unwrap().wakers) {
                                    waker.wake();
                                }
                                std::thread::yield_now();
                            }
                        }));
                    }
                    // An operation dropped outside any task.
                    10 => drop(pick(&mut rng, &mut shared.lock().unwrap().ops)),
                    _ => {}
                }
                turn(&mut ex);
            }
            threads.into_iter().for_each(|t| t.join().unwrap());

            // The end: everyone is aborted, everything completes.
            joins.iter().for_each(|join| join.abort());
            let left = std::mem::take(&mut *shared.lock().unwrap());
            left.aborts.iter().for_each(AbortHandle::abort);
            drop(left);
            drop(joins);
            script.limit_submissions(u32::MAX);
            script.limit_completions(u32::MAX);
            script.on_cancel(OnCancel::Cancel);
            settle(&mut ex);
            for _ in 0..10_000 {
                let Some(op) = script.pending(0) else { break };
                script.complete(op.token, 0);
                settle(&mut ex);
            }
            // What was left in a body that is gone by now.
            drop(std::mem::take(&mut *shared.lock().unwrap()));
            settle(&mut ex);
            assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
            // All slots are free: every block can use all of its own, and the spares.
            script.automatic(Some(|_| Some(0)));
            for _ in 0..12 {
                ex.enter(|| {
                    run::spawn(body(async {
                        let (a, b, c) = (nop(), nop(), nop());
                        let mut all: [AnyOp; 3] = [Box::pin(a), Box::pin(b), Box::pin(c)];
                        for op in &mut all {
                            let pending = poll_fn(|cx| Poll::Ready(!poke(op, cx))).await;
                            assert!(pending, "a slot is not free");
                        }
                        for op in all {
                            op.await.unwrap()
                        }
                        1
                    }))
                })
                .unwrap()
                .detach();
            }
            assert_eq!(settle(&mut ex), 0);
            script.automatic(None);
            assert_eq!((ex.in_flight(), run::memory().used), (0, 0));
        });
        assert_eq!(ex.close(0).detached, 0);
    }};
}

#[test]
fn random_misuse_on_one_thread_leaves_nothing() {
    misuse!(150, false);
}

#[test]
fn random_misuse_with_other_threads_leaves_nothing() {
    misuse!(60, true);
}
