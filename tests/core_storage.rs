//! Bodies in arenas: counted, sealed, begun anew. What becomes of each byte is in `storage_fates`.
#![expect(clippy::result_large_err, reason = "a refused future comes back whole")]

use std::alloc::Layout;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};
use unboxed::op::nop;
use unboxed::storage::{Arena, BodyAlloc, Bump, Heap, Reason, Slab, TaskTable};
use unboxed::task::{JoinError, JoinHandle};
use unboxed_tests::{drain, lab, settle};

fn join<T>(mut handle: JoinHandle<T>) -> Result<T, JoinError> {
    match Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it has not ended"),
    }
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

#[test]
fn slabs_and_regions_count_seal_and_reset_by_themselves() {
    static ROOMS: Slab<128, 2> = Slab::new();
    static REGION: Bump<512> = Bump::new();
    static TABLE: TaskTable<4, 0> = TaskTable::new();
    lab!(ex, _script, run, pool = 1, ops = 0);
    let _ = run::memory();
    let small = || async { unboxed::yield_now().await };
    let handles = [0; 2].map(|_| ex.enter(|| TABLE.spawn(&ROOMS, small())).unwrap());
    assert_eq!(ex.enter(|| TABLE.spawn(&ROOMS, small())).unwrap_err().reason, Reason::Memory);
    let large = [0u8; 200];
    let refused = ex.enter(|| TABLE.spawn(&ROOMS, async move { large.len() })).unwrap_err();
    assert_eq!((refused.reason, refused.left), (Reason::Memory, Some(0)));
    let memory = ROOMS.memory();
    assert_eq!((memory.live, memory.refused, memory.left), (2, 2, Some(0)));
    assert_eq!(ROOMS.reset().unwrap_err().live, 2);
    settle(&mut ex);
    for handle in handles {
        assert_eq!(join(handle), Ok(()));
    }
    let memory = ROOMS.memory();
    assert_eq!((memory.live, memory.bytes, memory.left), (0, 0, Some(128)));
    assert!(memory.bytes_max >= 2);

    let handle = ex.enter(|| TABLE.spawn(&REGION, small())).unwrap();
    REGION.seal();
    assert_eq!(ex.enter(|| TABLE.spawn(&REGION, small())).unwrap_err().reason, Reason::Sealed);
    assert_eq!(REGION.reset().unwrap_err().live, 1);
    settle(&mut ex);
    assert_eq!(join(handle), Ok(()));
    REGION.reset().unwrap();
    ex.enter(|| TABLE.spawn(&REGION, small())).unwrap().detach();
    settle(&mut ex);
    assert_eq!((REGION.memory().live, REGION.memory().refused), (0, 1));
}

/// What a lock's owner prints, it prints to foreign code, which may ask for what that lock guards.
#[test]
fn whoever_prints_may_ask_for_the_memory_meanwhile() {
    struct Asks<'a>(&'a dyn Fn(), usize);
    impl std::fmt::Write for Asks<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            (self.0)();
            self.1 += text.len();
            Ok(())
        }
    }
    fn print(what: &dyn std::fmt::Debug, ask: &dyn Fn()) {
        let mut asks = Asks(ask, 0);
        std::fmt::write(&mut asks, format_args!("{what:?}")).unwrap();
        assert!(asks.1 < 100, "{} bytes of {what:?}", asks.1);
    }
    static TASKS: TaskTable<4, 1> = TaskTable::new();
    static ROOMS: Slab<64, 4> = Slab::new();
    static REGION: Bump<256> = Bump::new();
    static ARENA: Arena<Heap> = Arena::new("printed", Heap);
    static FILES: unboxed::file::FileTable<64> = unboxed::file::FileTable::new();
    static BUFFERS: unboxed::buf::BufPool<4, 64> = unboxed::buf::BufPool::new();
    print(&TASKS, &|| _ = TASKS.memory());
    print(&ROOMS, &|| _ = ROOMS.memory());
    print(&REGION, &|| _ = REGION.memory());
    print(&ARENA, &|| _ = ARENA.memory());
    print(&BUFFERS, &|| _ = BUFFERS.memory());
    let table = FILES.control();
    let entries: Vec<_> = (0..64).map(|_| table.reserve().unwrap()).collect();
    print(&FILES, &|| _ = table.memory());
    drop(entries);
    // Not with all the free ones behind it.
    print(&table.reserve().unwrap(), &|| _ = table.memory());
}
