//! The user's allocator under tasks of every fate: spawned, aborted, leaked, panicking, finished, in any order. Each byte
//! comes back, once, as it went; also when the allocator fails, at whatever call.
#![expect(clippy::result_large_err, reason = "a refused future comes back whole")]

use std::alloc::Layout;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, pending};
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};
use unboxed::exec::Executor;
use unboxed::op::nop;
use unboxed::storage::{BodyAlloc, Heap, Reason, TaskTable};
use unboxed::task::{AbortHandle, JoinError, JoinHandle};
use unboxed_tests::{Dropped, Drops, Rng, Script, drain, for_seeds, lab, poll_once, turn};

/// What is out, how often it was asked, and at which call it gives nothing.
#[derive(Default)]
struct Ledger {
    pieces: HashMap<usize, Layout>,
    calls: u64,
    fails_at: Option<u64>,
}

thread_local! {
    static LEDGER: RefCell<Ledger> = RefCell::default();
}

fn with_ledger<R>(f: impl FnOnce(&mut Ledger) -> R) -> R {
    LEDGER.with_borrow_mut(f)
}

/// The user's allocator.
#[derive(Clone, Copy)]
struct Ledgered;

// SAFETY: the global allocator's contract.
unsafe impl BodyAlloc for Ledgered {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        with_ledger(|ledger| {
            ledger.calls += 1;
            if ledger.fails_at == Some(ledger.calls) {
                return None;
            }
            let data = Heap.take(layout)?;
            assert!(ledger.pieces.insert(data.addr().get(), layout).is_none(), "given twice");
            Some(data)
        })
    }

    unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
        let known = with_ledger(|ledger| ledger.pieces.remove(&data.addr().get()));
        assert_eq!(known, Some(layout), "given back twice, or as something else");
        // SAFETY: passed on.
        unsafe { Heap.give(data, layout) };
    }
}

fn pieces() -> usize {
    with_ledger(|ledger| ledger.pieces.len())
}

/// What a random task does, with a value that counts its drops, in its future and then in its output.
async fn fate(mut rng: Rng, value: Dropped) -> Dropped {
    for _ in 0..rng.below(4) {
        match rng.below(5) {
            0 => unboxed::yield_now().await,
            1 => drop(nop().await),
            2 => drop(poll_once(&mut nop()).await),
            3 => {
                let mut leaked = ManuallyDrop::new(nop());
                let _ = poll_once(&mut *leaked).await;
            }
            _ => assert_ne!(rng.below(3), 0, "a panic on purpose"),
        }
    }
    if rng.below(4) == 0 {
        pending::<()>().await;
    }
    value
}

/// What has become of tasks, to be sure that every fate occurs.
#[derive(Debug, Default)]
struct Seen {
    outputs: u64,
    aborted: u64,
    panicked: u64,
    leaked: u64,
    detached: u64,
    table_full: u64,
    no_memory: u64,
}

static TABLE: TaskTable<5, 2> = TaskTable::new();

/// One sequence; everything that it took is back at its end.
fn sequence(seed: u64, ex: &mut Executor, script: &Script, seen: &mut Seen) {
    let mut rng = Rng::new(seed);
    let (drops, mut values) = (Drops::default(), 0);
    let mut handles: Vec<JoinHandle<Dropped>> = Vec::new();
    let mut leaked: Vec<ManuallyDrop<JoinHandle<Dropped>>> = Vec::new();
    let mut aborts: Vec<AbortHandle> = Vec::new();
    for _ in 0..6 + rng.below(24) {
        let step = rng.below(9);
        let at = rng.below(handles.len().max(1) as u64) as usize;
        match step {
            0..=2 => {
                values += 1;
                let body = fate(Rng::new(rng.draw()), drops.value());
                match ex.enter(|| TABLE.spawn(Ledgered, body)) {
                    Ok(handle) => {
                        aborts.push(handle.abort_handle());
                        handles.push(handle);
                    }
                    Err(refused) => match refused.reason {
                        Reason::TableFull { tasks: 5 } => seen.table_full += 1,
                        Reason::Memory => seen.no_memory += 1,
                        other => panic!("{other:?}"),
                    },
                }
            }
            3 | 4 => drop(turn(ex)),
            5 => {
                if let Some(op) = script.pending(rng.below(4) as usize) {
                    script.complete(op.token, 0);
                }
            }
            _ if handles.is_empty() => {}
            6 => handles[at].abort(),
            7 if rng.below(2) == 0 => {
                seen.leaked += 1;
                leaked.push(ManuallyDrop::new(handles.swap_remove(at)));
            }
            7 => {
                seen.detached += 1;
                drop(handles.swap_remove(at));
            }
            _ => {
                let joined = Pin::new(&mut handles[at]).poll(&mut Context::from_waker(Waker::noop()));
                match joined {
                    Poll::Pending => continue,
                    Poll::Ready(Ok(_)) => seen.outputs += 1,
                    Poll::Ready(Err(JoinError::Aborted)) => seen.aborted += 1,
                    Poll::Ready(Err(JoinError::Panicked)) => seen.panicked += 1,
                }
                drop(handles.swap_remove(at));
            }
        }
    }
    aborts.iter().for_each(AbortHandle::abort);
    drop(aborts);
    drain(ex, script);
    assert_eq!(pieces(), handles.len() + leaked.len(), "each handle pins its body, and nothing else does");
    assert!(handles.iter().all(JoinHandle::is_finished));
    drop(handles);
    assert_eq!((pieces(), TABLE.memory().used), (leaked.len(), leaked.len() as u32), "what was leaked stays");
    // No further than to here, so that the next sequence begins as this one did.
    leaked.into_iter().map(ManuallyDrop::into_inner).for_each(drop);
    assert_eq!((pieces(), TABLE.memory().used), (0, 0), "every byte is back");
    assert_eq!(drops.count(), values, "every value is dropped, once");
    assert_eq!(ex.in_flight(), 0);
}

#[test]
fn every_byte_comes_back_in_ten_thousand_sequences_and_at_every_failure() {
    lab!(ex, script, run, pool = 1, ops = 0);
    let _ = run::memory();
    std::panic::set_hook(Box::new(|info| {
        if !info.payload_as_str().unwrap_or_default().contains("a panic on purpose") {
            eprintln!("{info}");
        }
    }));
    let mut seen = Seen::default();
    for_seeds(10_000, |seed| {
        with_ledger(|ledger| *ledger = Ledger::default());
        sequence(seed, &mut ex, script, &mut seen);
    });
    // One that fails at the n-th call, for every n that a sequence has.
    for_seeds(300, |seed| {
        with_ledger(|ledger| *ledger = Ledger::default());
        sequence(seed, &mut ex, script, &mut seen);
        let calls = with_ledger(|ledger| ledger.calls);
        for n in 1..=calls {
            with_ledger(|ledger| *ledger = Ledger { fails_at: Some(n), ..Ledger::default() });
            let before = seen.no_memory;
            sequence(seed, &mut ex, script, &mut seen);
            assert_eq!(seen.no_memory, before + 1, "call {n} of {calls} fails, and no other");
        }
    });
    let _ = std::panic::take_hook();
    println!("{seen:?}");
    if std::env::var_os("SEED").is_none() {
        let Seen { outputs, aborted, panicked, leaked, detached, table_full, no_memory } = seen;
        for fate in [outputs, aborted, panicked, leaked, detached, table_full, no_memory] {
            assert!(fate > 200, "every fate occurs often");
        }
    }
}
