//! Tasks that borrow from the stack.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use unboxed::op::nop;
use unboxed::rt::{Config, RuntimeCell};
use unboxed::storage::{Reason, StackBody, TaskTable, scope};
use unboxed::task::JoinError;
use unboxed::yield_now;
use unboxed_tests::{Drops, lab};

static TABLE: TaskTable<8, 2> = TaskTable::new();

#[test]
fn bodies_borrow_and_give_their_outputs() {
    static TABLE: TaskTable<4, 2> = TaskTable::new();
    lab!(ex, script, run, pool = 1, ops = 0);
    let _ = run::memory();
    script.automatic(Some(|_| Some(0)));
    let text = String::from("borrowed");
    let log = RefCell::new(Vec::new());
    let mut first = pin!(StackBody::new(async {
        log.borrow_mut().push(1);
        nop().await.unwrap();
        log.borrow_mut().push(3);
        &text[..3]
    }));
    let mut second = pin!(StackBody::new(async {
        log.borrow_mut().push(2);
        yield_now().await;
        text.len()
    }));
    let in_the_closure = scope(&mut ex, |s| {
        s.spawn(&TABLE, first.as_mut()).unwrap();
        s.spawn(&TABLE, second.as_mut()).unwrap();
        log.borrow().len()
    });
    assert_eq!(in_the_closure, 0);
    assert_eq!(first.as_mut().take(), Some(Ok("bor")));
    assert_eq!(first.as_mut().take(), None, "once");
    assert_eq!(second.as_mut().take(), Some(Ok(8)));
    assert_eq!(*log.borrow(), [1, 2, 3]);
    assert_eq!(TABLE.memory().used, 0);
}

#[test]
fn a_panic_in_the_closure_or_in_a_task_still_waits_for_all() {
    static TABLE: TaskTable<4, 2> = TaskTable::new();
    lab!(ex, script, run, pool = 1, ops = 0);
    let _ = run::memory();
    script.automatic(Some(|_| Some(0)));
    let drops = Drops::default();
    for panics_in_closure in [true, false] {
        let ended = Cell::new(false);
        let mut slow = pin!(StackBody::new(async {
            let _value = drops.value();
            for _ in 0..5 {
                nop().await.unwrap();
            }
            ended.set(true);
        }));
        let mut panics = pin!(StackBody::new(async {
            let _value = drops.value();
            yield_now().await;
            assert!(panics_in_closure, "on purpose");
        }));
        let caught = catch_unwind(AssertUnwindSafe(|| {
            scope(&mut ex, |s| {
                s.spawn(&TABLE, slow.as_mut()).unwrap();
                s.spawn(&TABLE, panics.as_mut()).unwrap();
                assert!(!panics_in_closure, "on purpose");
            });
        }));
        assert!(caught.is_err());
        assert!(ended.get(), "it was waited for");
        assert_eq!(slow.take(), Some(Ok(())));
        let expected = if panics_in_closure { Ok(()) } else { Err(JoinError::Panicked) };
        assert_eq!(panics.take(), Some(expected));
    }
    assert_eq!(drops.count(), 4);
    assert_eq!(TABLE.memory().used, 0);
}

#[test]
fn an_aborted_one_is_dropped_within_the_scope_and_its_operation_outlives_it_harmlessly() {
    static TABLE: TaskTable<1, 2> = TaskTable::new();
    lab!(ex, script, run, pool = 1, ops = 0);
    let _ = run::memory();
    script.on_cancel(unboxed::event_loop::scripted::OnCancel::Ignore);
    let drops = Drops::default();
    {
        let mut waits = pin!(StackBody::new(async {
            let _value = drops.value();
            let mut op = nop();
            poll_fn(|cx| Poll::Ready(Pin::new(&mut op).poll(cx).is_pending())).await;
            std::future::pending::<()>().await;
        }));
        scope(&mut ex, |s| {
            let handle = s.spawn(&TABLE, waits.as_mut()).unwrap();
            handle.abort();
        });
        assert_eq!(waits.take(), Some(Err(JoinError::Aborted)));
    }
    assert_eq!(drops.count(), 0, "aborted before its first poll, it never made a value");
    {
        let mut waits = pin!(StackBody::new(async {
            let _value = drops.value();
            let mut op = nop();
            poll_fn(|cx| Poll::Ready(Pin::new(&mut op).poll(cx).is_pending())).await;
            std::mem::forget(op);
        }));
        scope(&mut ex, |s| drop(s.spawn(&TABLE, waits.as_mut()).unwrap()));
    }
    assert_eq!(drops.count(), 1);
    assert_eq!(TABLE.memory().used, 1, "the slot in flight pins the header, not the body");
    unboxed_tests::drain(&mut ex, script);
    assert_eq!(TABLE.memory().used, 0);
}

#[test]
fn a_body_runs_once_and_a_full_table_gives_it_back() {
    static TABLE: TaskTable<1, 0> = TaskTable::new();
    lab!(ex, _script, run, pool = 1, ops = 0);
    let _ = run::memory();
    let (mut one, mut two) = (pin!(StackBody::new(async { 1 })), pin!(StackBody::new(async { 2 })));
    scope(&mut ex, |s| {
        s.spawn(&TABLE, one.as_mut()).unwrap();
        assert_eq!(s.spawn(&TABLE, two.as_mut()).unwrap_err().reason, Reason::TableFull { tasks: 1 });
    });
    scope(&mut ex, |s| {
        s.spawn(&TABLE, two.as_mut()).unwrap();
        assert_eq!(s.spawn(&TABLE, one.as_mut()).unwrap_err().reason, Reason::Spent);
    });
    assert_eq!((one.take(), two.take()), (Some(Ok(1)), Some(Ok(2))));
}

#[test]
fn on_the_ring_a_panicking_task_is_told_by_its_body() {
    static CELL: RuntimeCell<4> = RuntimeCell::new();
    let mut runtime = match CELL.start(Config::new()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    let number = 7;
    let mut panics = pin!(StackBody::new(async { assert_eq!(number, 8, "on purpose") }));
    let mut waits = pin!(StackBody::new(async {
        unboxed::time::sleep(std::time::Duration::from_millis(5)).await.unwrap();
        number
    }));
    scope(&mut runtime, |s| {
        s.spawn(&TABLE, panics.as_mut()).unwrap();
        s.spawn(&TABLE, waits.as_mut()).unwrap();
    });
    assert_eq!(panics.take(), Some(Err(JoinError::Panicked)));
    assert_eq!(waits.take(), Some(Ok(7)));
}
