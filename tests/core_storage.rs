//! Bodies in arenas: every byte back, whatever becomes of the task.
#![expect(clippy::result_large_err, reason = "a refused future comes back whole")]

use std::alloc::Layout;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use unboxed::op::nop;
use unboxed::storage::{Arena, BodyAlloc, Bump, Heap, Reason, TaskTable};
use unboxed::task::{JoinError, JoinHandle};
use unboxed_tests::{Drops, Rng, drain, for_seeds, lab, settle, turn};

fn join<T>(mut handle: JoinHandle<T>) -> Result<T, JoinError> {
    match Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it has not ended"),
    }
}

/// The user's allocator: counts, checks that each piece comes back as it went, and can fail at a chosen call.
#[derive(Clone, Copy)]
struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);
static FAIL_AT: AtomicU64 = AtomicU64::new(u64::MAX);

thread_local! {
    static PIECES: RefCell<HashMap<usize, Layout>> = RefCell::default();
}

// SAFETY: the global allocator's contract.
unsafe impl BodyAlloc for Counting {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        if CALLS.fetch_add(1, Ordering::SeqCst) == FAIL_AT.load(Ordering::SeqCst) {
            return None;
        }
        LIVE.fetch_add(layout.size() as i64, Ordering::SeqCst);
        let data = Heap.take(layout)?;
        PIECES.with(|pieces| assert!(pieces.borrow_mut().insert(data.addr().get(), layout).is_none()));
        Some(data)
    }

    unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::SeqCst);
        let known = PIECES.with(|pieces| pieces.borrow_mut().remove(&data.addr().get()));
        assert_eq!(known, Some(layout), "given back twice, or as something else");
        // SAFETY: passed on.
        unsafe { Heap.give(data, layout) };
    }
}

/// What a random task does, with a value that counts its drops in its future and in its output.
async fn random_body(rng: Rng, drops: Drops) -> Option<unboxed_tests::Dropped> {
    let mut rng = rng;
    let held = drops.value();
    for _ in 0..rng.below(4) {
        match rng.below(5) {
            0 => unboxed::yield_now().await,
            1 => drop(nop().await),
            2 => {
                // Polled once, and dropped in flight.
                let mut op = nop();
                poll_fn(|cx| Poll::Ready(Pin::new(&mut op).poll(cx).is_pending())).await;
            }
            3 => {
                let mut op = nop();
                poll_fn(|cx| Poll::Ready(Pin::new(&mut op).poll(cx).is_pending())).await;
                std::mem::forget(op);
            }
            _ => assert_ne!(rng.below(6), 0, "a panic on purpose"),
        }
    }
    if rng.below(4) == 0 {
        pending::<()>().await;
    }
    Some(held)
}

#[test]
fn every_byte_comes_back_in_random_lives() {
    static TABLE: TaskTable<32, 2> = TaskTable::new();
    lab!(ex, script, run, pool = 1, ops = 0);
    let _ = run::memory();
    std::panic::set_hook(Box::new(|_| {}));
    for_seeds(20, |seed| {
        let mut rng = Rng::new(seed);
        let drops = Drops::default();
        let mut handles = Vec::new();
        for step in 0..500u64 {
            match rng.below(8) {
                0..=2 => {
                    let body = random_body(Rng::new(seed * 1000 + step), drops.clone());
                    match ex.enter(|| TABLE.spawn_local(Counting, body)) {
                        Ok(handle) => handles.push(handle),
                        Err(full) => assert_eq!(full.reason, Reason::TableFull { tasks: 32 }),
                    }
                }
                3 => {
                    turn(&mut ex);
                }
                4 if !handles.is_empty() => {
                    let at = rng.below(handles.len() as u64) as usize;
                    handles[at].abort();
                }
                5 if !handles.is_empty() => {
                    drop(handles.swap_remove(rng.below(handles.len() as u64) as usize))
                }
                6 => {
                    if let Some(op) = script.pending(rng.below(4) as usize) {
                        script.complete(op.token, 0);
                    }
                }
                _ => handles
                    .iter()
                    .for_each(|handle| assert_eq!(handle.peek().is_some(), handle.is_finished())),
            }
        }
        handles.iter().for_each(JoinHandle::abort);
        drop(handles);
        // What was detached, and waits for nothing that will come.
        drain(&mut ex, script);
        let left = TABLE.memory().used;
        assert_eq!(PIECES.with(|p| p.borrow().len()), left as usize, "one body for each header in use");
    });
    let _ = std::panic::take_hook();
    ex.close(1_000_000);
    assert_eq!(TABLE.memory().used, 0, "the close ends those that waited for ever");
    assert_eq!(LIVE.load(Ordering::SeqCst), 0);
    assert!(PIECES.with(|p| p.borrow().is_empty()));
}

#[test]
fn an_allocator_that_fails_at_the_nth_call_loses_nothing() {
    static TABLE: TaskTable<4, 0> = TaskTable::new();
    lab!(ex, _script, run, pool = 1, ops = 0);
    let _ = run::memory();
    #[derive(Clone)]
    struct Failing(Rc<RefCell<(u32, u32, i64)>>);
    // SAFETY: the state is used by this thread only; the memory is the heap's.
    unsafe impl Send for Failing {}
    // SAFETY: the global allocator's contract.
    unsafe impl BodyAlloc for Failing {
        fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
            let mut state = self.0.borrow_mut();
            state.0 += 1;
            if state.0 == state.1 {
                return None;
            }
            state.2 += 1;
            Heap.take(layout)
        }
        unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
            self.0.borrow_mut().2 -= 1;
            // SAFETY: passed on.
            unsafe { Heap.give(data, layout) };
        }
    }
    for n in 1..=10 {
        let alloc = Failing(Rc::new(RefCell::new((0, n, 0))));
        let drops = Drops::default();
        for call in 1..=10 {
            let value = drops.value();
            let body = async move { drop(value) };
            match ex.enter(|| TABLE.spawn_local(alloc.clone(), body)) {
                Ok(handle) => {
                    assert_ne!(call, n);
                    settle(&mut ex);
                    assert_eq!(join(handle), Ok(()));
                }
                Err(exhausted) => {
                    assert_eq!((call, exhausted.reason), (n, Reason::Memory));
                    assert_eq!(drops.count(), call as usize - 1, "the future comes back whole");
                }
            }
            assert_eq!(drops.count(), call as usize);
        }
        assert_eq!(alloc.0.borrow().2, 0);
        assert_eq!(Rc::strong_count(&alloc.0), 1, "each task's clone is gone");
    }
    assert_eq!(TABLE.memory().used, 0);
}

#[test]
fn an_arena_counts_seals_and_resets() {
    static REGION: Bump<1024> = Bump::new();
    static ARENA: Arena<&Bump<1024>> = Arena::new("sealed", &REGION);
    static TABLE: TaskTable<16, 0> = TaskTable::new();
    lab!(ex, _script, run, pool = 1, ops = 0);
    let _ = run::memory();
    let mut handles = Vec::new();
    let refused = loop {
        let bytes = [7u8; 100];
        let body = async move {
            unboxed::yield_now().await;
            bytes.iter().map(|b| u32::from(*b)).sum::<u32>()
        };
        match ex.enter(|| TABLE.spawn(&ARENA, body)) {
            Ok(handle) => handles.push(handle),
            Err(exhausted) => break exhausted,
        }
    };
    assert_eq!(refused.reason, Reason::Memory);
    assert!(refused.needed > refused.left.unwrap(), "{refused}");
    assert_eq!(ARENA.memory().live, handles.len());
    assert_eq!(ARENA.reset().unwrap_err().live, handles.len());
    settle(&mut ex);
    for handle in handles {
        assert_eq!(join(handle), Ok(700));
    }
    assert_eq!((ARENA.memory().live, ARENA.memory().left), (0, Some(1024)));
    ARENA.seal();
    assert_eq!(ex.enter(|| TABLE.spawn(&ARENA, async {})).unwrap_err().reason, Reason::Sealed);
    ARENA.reset().unwrap();
    let handle = ex.enter(|| TABLE.spawn(&ARENA, async { 5 })).unwrap();
    settle(&mut ex);
    assert_eq!(join(handle), Ok(5));
    let map = unboxed::memory::text().to_string();
    assert!(map.contains("sealed"), "{map}");
    assert!(unboxed::memory::json().to_string().contains("\"kind\":\"arena\",\"name\":\"sealed\""));
}

#[test]
fn a_body_waits_for_the_system_before_its_header_is_used_again() {
    static TABLE: TaskTable<1, 1> = TaskTable::new();
    lab!(ex, script, run, pool = 1, ops = 0);
    let _ = run::memory();
    script.on_cancel(unboxed::event_loop::scripted::OnCancel::Ignore);
    let body = async {
        let mut op = nop();
        poll_fn(|cx| Poll::Ready(Pin::new(&mut op).poll(cx).is_pending())).await;
        std::mem::forget(op);
    };
    ex.enter(|| TABLE.spawn(Heap, body)).unwrap().detach();
    settle(&mut ex);
    let refused = ex.enter(|| TABLE.spawn(Heap, async {})).unwrap_err();
    assert_eq!(refused.reason, Reason::TableFull { tasks: 1 }, "the slot in flight pins the header");
    drain(&mut ex, script);
    ex.enter(|| TABLE.spawn(Heap, async {})).unwrap().detach();
    settle(&mut ex);
    assert_eq!(TABLE.memory().used, 0);
}

#[test]
fn an_allocator_may_look_at_the_map_while_it_is_asked() {
    /// Says what it sees.
    #[derive(Clone, Copy)]
    struct Curious;
    static ARENA: Arena<Curious> = Arena::new("curious", Curious);
    // SAFETY: the global allocator's contract.
    unsafe impl BodyAlloc for Curious {
        fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
            assert_eq!(ARENA.reset().unwrap_err().live, 1, "counted before it is taken");
            assert!(unboxed::memory::text().to_string().contains("curious"));
            if layout.size() > 1000 { None } else { Heap.take(layout) }
        }
        unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
            assert_eq!(ARENA.memory().live, 1, "counted until it is given back");
            // SAFETY: passed on.
            unsafe { Heap.give(data, layout) };
        }
        fn left(&self) -> Option<usize> {
            let _ = (&ARENA).is_sealed();
            None
        }
    }
    static TABLE: TaskTable<2, 0> = TaskTable::new();
    lab!(ex, _script, run, pool = 1, ops = 0);
    let _ = run::memory();
    ex.enter(|| TABLE.spawn(&ARENA, async {})).unwrap().detach();
    settle(&mut ex);
    let large = [0u8; 2000];
    let refused = ex.enter(|| TABLE.spawn(&ARENA, async move { large.len() })).unwrap_err();
    assert_eq!(refused.reason, Reason::Memory);
    let memory = ARENA.memory();
    assert_eq!((memory.live, memory.bytes, memory.refused), (0, 0, 1));
}

#[test]
fn a_region_of_two_arenas_is_not_begun_anew_under_the_other() {
    static REGION: Bump<1024> = Bump::new();
    static ONE: Arena<&Bump<1024>> = Arena::new("one", &REGION);
    static TWO: Arena<&Bump<1024>> = Arena::new("two", &REGION);
    let layout = Layout::from_size_align(100, 8).unwrap();
    let first = (&ONE).take(layout).unwrap();
    TWO.reset().unwrap();
    let second = (&TWO).take(layout).unwrap();
    assert!(second.addr().get() >= first.addr().get() + 100);
    // SAFETY: taken above, once each.
    unsafe {
        (&ONE).give(first, layout);
        (&TWO).give(second, layout);
    }
}
