//! Who still uses a descriptor: it is closed once, after the last handle and the last operation, whatever becomes of
//! futures. On the scripted loop.

use std::future::{Future, pending, poll_fn};
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use unboxed::Error;
use unboxed::event_loop::scripted::OnCancel;
use unboxed::file::{FileHandle, FileTable};
use unboxed::io::{TransferKind, transfer};
use unboxed::yield_now;
use unboxed_tests::{body, drain, lab, settle};

/// Begins an operation whose future is never polled or dropped again.
async fn leak<F: Future>(future: F) {
    let mut future = Box::pin(future);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    std::mem::forget(future);
}

fn room() -> Vec<u8> {
    Vec::with_capacity(8)
}

/// A read and a write that the handle answers for, a second read that counts itself; all leaked.
async fn leak_three(mut file: FileHandle) {
    leak(transfer(&mut file, TransferKind::Recv, room())).await;
    leak(transfer(&mut file, TransferKind::Send, vec![1])).await;
    leak(transfer(&mut file, TransferKind::Recv, room())).await;
}

#[test]
fn a_leaked_operation_keeps_its_file_open_after_the_last_handle() {
    // Every order of the three ends.
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        lab!(ex, script, run, pool = 1, ops = 3);
        static FILES: FileTable<8> = FileTable::new();
        script.on_cancel(OnCancel::Ignore);
        let before = script.closed_files();
        // SAFETY: R4: the scripted loop has no real files.
        let file = unsafe { FILES.control().reserve().unwrap().open(3) };
        let task = ex.enter(|| {
            run::spawn(body(async move {
                leak_three(file).await;
                0
            }))
        });
        task.unwrap().detach();
        settle(&mut ex);
        let tokens: Vec<_> = (0..3).map(|at| script.pending(at).unwrap().token).collect();
        for at in order {
            assert_eq!((FILES.control().memory().used, script.closed_files() - before), (1, 0));
            script.complete(tokens[at], 1);
            settle(&mut ex);
        }
        assert_eq!((FILES.control().memory().used, script.closed_files() - before), (0, 1));
        drain(&mut ex, script);
    }
}

#[test]
fn results_that_nobody_takes_let_the_file_go_with_their_task() {
    lab!(ex, script, run, pool = 1, ops = 3);
    static FILES: FileTable<8> = FileTable::new();
    // SAFETY: R4: the scripted loop has no real files.
    let file = unsafe { FILES.control().reserve().unwrap().open(3) };
    let task = ex.enter(|| {
        run::spawn(body(async move {
            leak_three(file).await;
            pending().await
        }))
    });
    let task = task.unwrap();
    settle(&mut ex);
    for _ in 0..3 {
        script.complete(script.pending(0).unwrap().token, 1);
    }
    settle(&mut ex);
    assert_eq!((FILES.control().memory().used, script.closed_files()), (1, 0));
    task.abort();
    settle(&mut ex);
    assert_eq!((FILES.control().memory().used, script.closed_files()), (0, 1));
    drain(&mut ex, script);
}

#[test]
fn halves_and_clones_close_with_the_last_use() {
    lab!(ex, script, run, pool = 1, ops = 3);
    static FILES: FileTable<8> = FileTable::new();
    script.on_cancel(OnCancel::Ignore);
    // SAFETY: R4: the scripted loop has no real files.
    let file = unsafe { FILES.control().reserve().unwrap().open(3) };
    let task = ex.enter(|| {
        run::spawn(body(async move {
            let (mut read, mut write) = file.split();
            {
                let one = transfer(&mut read, TransferKind::Recv, room());
                let two = transfer(&mut write, TransferKind::Send, vec![1]);
                let (one, two) = unboxed::combine::join2(one, two).await;
                assert_eq!((one.0, two.0), (Ok(5), Ok(1)));
            }
            // A clone has no lane, also where it is borrowed alone.
            let mut clone = read.clone();
            leak(transfer(&mut clone, TransferKind::Recv, room())).await;
            leak(transfer(&mut read, TransferKind::Recv, room())).await;
            drop((clone, read));
            yield_now().await;
            drop(write);
            pending().await
        }))
    });
    let task = task.unwrap();
    settle(&mut ex);
    script.complete(script.pending(0).unwrap().token, 5);
    script.complete(script.pending(0).unwrap().token, 1);
    settle(&mut ex);
    assert_eq!(script.pending_len(), 2);
    assert_eq!((FILES.control().memory().used, script.closed_files()), (1, 0));
    task.abort();
    settle(&mut ex);
    assert_eq!((FILES.control().memory().used, script.closed_files()), (1, 0));
    script.complete(script.pending(0).unwrap().token, -libc::ECANCELED);
    settle(&mut ex);
    assert_eq!((FILES.control().memory().used, script.closed_files()), (1, 0));
    script.complete(script.pending(0).unwrap().token, -libc::ECANCELED);
    settle(&mut ex);
    assert_eq!((FILES.control().memory().used, script.closed_files()), (0, 1));
    drain(&mut ex, script);
}

/// The last handle goes on a plain thread while the leaked operation ends on the worker's.
#[test]
fn the_last_handle_may_go_on_another_thread() {
    for _ in 0..200 {
        lab!(ex, script, run, pool = 1, ops = 1);
        static FILES: FileTable<8> = FileTable::new();
        static CLOSED: AtomicU32 = AtomicU32::new(0);
        CLOSED.store(0, Ordering::SeqCst);
        let before = script.closed_files();
        FILES.on_close(|_| {
            CLOSED.fetch_add(1, Ordering::SeqCst);
        });
        // SAFETY: R4: the scripted loop has no real files.
        let mut file = unsafe { FILES.control().reserve().unwrap().open(3) };
        let (give, given) = std::sync::mpsc::channel();
        let task = ex.enter(|| {
            run::spawn(body(async move {
                leak(transfer(&mut file, TransferKind::Recv, room())).await;
                give.send(file).unwrap();
                pending().await
            }))
        });
        let task = task.unwrap();
        settle(&mut ex);
        let file = given.recv().unwrap();
        script.complete(script.pending(0).unwrap().token, 1);
        task.abort();
        let thread = std::thread::spawn(move || drop(file));
        settle(&mut ex);
        thread.join().unwrap();
        settle(&mut ex);
        assert_eq!(FILES.control().memory().used, 0);
        assert_eq!(script.closed_files() - before + CLOSED.load(Ordering::SeqCst), 1);
        drain(&mut ex, script);
    }
}

/// What a dropped read brings, with the next read's result behind it.
fn after_a_dropped_read(kind: TransferKind) -> u64 {
    lab!(ex, script, run, pool = 1, ops = 2);
    script.on_cancel(OnCancel::Ignore);
    static FILES: FileTable<8> = FileTable::new();
    // SAFETY: R4: the scripted loop has no real files.
    let file = unsafe { FILES.control().reserve().unwrap().open(3) };
    let task = ex.enter(|| {
        run::spawn(body(async move {
            let mut dropped = Box::pin(transfer(&file, kind, room()));
            assert!(poll_fn(|cx| Poll::Ready(dropped.as_mut().poll(cx).is_pending())).await);
            drop(dropped);
            match transfer(&file, kind, room()).await {
                (Ok(count), Some(bytes)) => count as u64 * 100 + u64::from(bytes[0]),
                (Err(Error::BytesDropped(count)), _) => u64::from(count),
                other => panic!("{other:?}"),
            }
        }))
    });
    settle(&mut ex);
    script.complete_read(script.pending(0).unwrap().token, b"123");
    settle(&mut ex);
    if let Some(next) = script.pending(0) {
        script.complete_read(next.token, &[7]);
    }
    drain(&mut ex, script);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut task = std::pin::pin!(task.unwrap());
    match task.as_mut().poll(&mut cx) {
        Poll::Ready(Ok(seen)) => seen,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dropped_read_at_a_position_loses_nothing_and_one_of_a_stream_says_what_was_lost() {
    assert_eq!(after_a_dropped_read(TransferKind::ReadAt(4096)), 107, "the next read simply goes");
    assert_eq!(after_a_dropped_read(TransferKind::ReadAt(u64::MAX)), 3, "the file's own position has moved");
    assert_eq!(after_a_dropped_read(TransferKind::Recv), 3);
}
