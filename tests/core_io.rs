//! Accepts and vectored sends on the scripted loop.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Waker};
use unboxed::Error;
use unboxed::event_loop::Descriptor;
use unboxed::event_loop::scripted::OnCancel;
use unboxed::file::{FileHandle, FileTable};
use unboxed::io::{Listener, TransferKind, send_vectored, transfer, write_all};
use unboxed::task::Bytes;
use unboxed_tests::{body, drain, lab, settle};

/// A listener of descriptor 9 in a table of that size, and how many descriptors were closed without a loop.
macro_rules! listener {
    ($listener:ident, $files:ident, $size:literal, $closed:ident) => {
        static $closed: AtomicI32 = AtomicI32::new(0);
        static $files: FileTable<$size> = FileTable::new();
        $files.on_close(|_| {
            $closed.fetch_add(1, Ordering::SeqCst);
        });
        // SAFETY: R4: the scripted loop has no real files.
        let mut $listener = Listener::new(unsafe { $files.control().reserve().unwrap().open(9) });
    };
}

fn multishot(op: &Descriptor) -> bool {
    matches!(op, Descriptor::Accept { multishot: true, .. })
}

#[test]
fn incoming_takes_many_connections_by_one_submission() {
    lab!(ex, script, run, pool = 1, ops = 1);
    listener!(listener, FILES, 8, CLOSED);
    let task = ex.enter(|| {
        run::spawn(body(async move {
            let mut incoming = listener.incoming();
            let mut sum = 0;
            for _ in 0..5 {
                sum += incoming.next().await.unwrap().raw() as u64;
            }
            sum
        }))
    });
    let mut task = pin!(task.unwrap());
    settle(&mut ex);
    let op = script.pending(0).unwrap();
    assert!(multishot(&op.op));
    for fd in 100..105 {
        script.complete_more(op.token, fd);
        if fd % 2 == 0 {
            settle(&mut ex);
        }
    }
    drain(&mut ex, script);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(510)));
    assert_eq!(FILES.control().memory().used, 0, "the listener and all connections are closed");
}

#[test]
fn connections_of_a_dropped_stream_are_the_next_accepts() {
    lab!(ex, script, run, pool = 1, ops = 2);
    script.on_cancel(OnCancel::Ignore);
    listener!(listener, FILES, 8, CLOSED);
    let task = ex.enter(|| {
        run::spawn(body(async move {
            let mut incoming = listener.incoming();
            let first = incoming.next().await.unwrap().raw();
            drop(incoming);
            let second = listener.accept(FILES.control()).await.unwrap().raw();
            let third = listener.accept(FILES.control()).await.unwrap().raw();
            let fourth = listener.accept(FILES.control()).await.unwrap().raw();
            (first * 1000 + second * 100 + third * 10 + fourth) as u64
        }))
    });
    let mut task = pin!(task.unwrap());
    settle(&mut ex);
    let op = script.pending(0).unwrap();
    for fd in 1..=3 {
        script.complete_more(op.token, fd);
    }
    settle(&mut ex);
    // The drop has cancelled it, and the third accept waits in the same slot until that has come through.
    script.complete(op.token, -libc::ECANCELED);
    settle(&mut ex);
    let op = script.pending(0).unwrap();
    assert!(!multishot(&op.op), "a single accept again");
    script.complete(op.token, 4);
    drain(&mut ex, script);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(1234)));
    assert_eq!(FILES.control().memory().used, 0);
}

#[test]
fn a_full_table_ends_the_stream_with_an_error_and_it_goes_on_when_there_is_room() {
    lab!(ex, script, run, pool = 1, ops = 1);
    listener!(listener, FILES, 3, CLOSED);
    let task = ex.enter(|| {
        run::spawn(body(async move {
            let mut incoming = listener.incoming();
            let kept = [incoming.next().await.unwrap(), incoming.next().await.unwrap()];
            assert_eq!(incoming.next().await.unwrap_err(), Error::TableFull { entries: 3 });
            drop(kept);
            incoming.next().await.unwrap().raw() as u64
        }))
    });
    let mut task = pin!(task.unwrap());
    settle(&mut ex);
    let op = script.pending(0).unwrap();
    for fd in 20..23 {
        script.complete_more(op.token, fd);
    }
    settle(&mut ex);
    // The third found no entry; the two that were kept are dropped after the error.
    assert_eq!((script.closed_files(), CLOSED.load(Ordering::SeqCst)), (3, 0));
    assert_eq!(FILES.control().memory().refused, 1);
    script.complete(op.token, -libc::ECANCELED);
    settle(&mut ex);
    let op = script.pending(0).unwrap();
    script.complete_more(op.token, 30);
    drain(&mut ex, script);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(30)));
}

#[test]
fn a_dropped_listener_closes_what_came_late() {
    lab!(ex, script, run, pool = 1, ops = 1);
    script.on_cancel(OnCancel::Ignore);
    listener!(listener, FILES, 8, CLOSED);
    ex.enter(|| {
        run::spawn(body(async move {
            let _ = listener.incoming().next().await;
            0
        }))
    })
    .unwrap()
    .detach();
    settle(&mut ex);
    let op = script.pending(0).unwrap();
    for fd in 1..=4 {
        script.complete_more(op.token, fd);
    }
    settle(&mut ex);
    script.complete_more(op.token, 5);
    script.complete(op.token, 6);
    drain(&mut ex, script);
    assert_eq!(FILES.control().memory().used, 0);
    assert_eq!(
        script.closed_files() as i32 + CLOSED.load(Ordering::SeqCst),
        7,
        "six connections, one listener"
    );
}

static SENDS: FileTable<2> = FileTable::new();

/// Sends `"header"` and two bytes of the rest, in two pieces; what came of it, and the bytes afterwards.
#[unboxed::task(ops = 2, bytes = 16)]
async fn sends(file: FileHandle, all: bool, mut bytes: Bytes<'_>) -> Result<usize, Error> {
    bytes[..8].copy_from_slice(b"headerok");
    let (mut head, mut rest) = bytes.split_at(6);
    let sent = send_vectored(&file, [head.piece(0..6), rest.piece(0..2)], all).await?;
    assert_eq!((&head[..], &rest[..2]), (&b"header"[..], &b"ok"[..]));
    Ok(sent)
}

fn pieces(op: &Descriptor) -> Vec<Vec<u8>> {
    let Descriptor::SendVectored { ranges, count, .. } = op else { panic!("{op:?}") };
    // SAFETY: R0: the operation is in flight.
    let slice =
        |r: &unboxed::event_loop::IoRange| unsafe { std::slice::from_raw_parts(r.data, r.len) }.to_vec();
    ranges[..usize::from(*count)].iter().map(slice).collect()
}

#[test]
fn a_vectored_send_goes_on_where_the_system_stopped() {
    lab!(ex, script, run, pool = 1, ops = 1);
    // SAFETY: R4: the scripted loop has no real files.
    let file = unsafe { SENDS.control().reserve().unwrap().open(3) };
    let mut task = pin!(ex.enter(|| sends::spawn(file, true)).unwrap());
    for (sent, left) in
        [(4, vec![b"header".to_vec(), b"ok".to_vec()]), (3, vec![b"er".to_vec(), b"ok".to_vec()])]
    {
        settle(&mut ex);
        let op = script.pending(0).unwrap();
        assert_eq!(pieces(&op.op), left);
        script.complete(op.token, sent);
    }
    settle(&mut ex);
    let op = script.pending(0).unwrap();
    assert_eq!(pieces(&op.op), [b"k".to_vec()]);
    script.complete(op.token, 1);
    settle(&mut ex);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(Ok(8))));
    drain(&mut ex, script);
}

/// Drops a send in flight, and sees its pieces lent until it has ended.
#[unboxed::task(ops = 2, bytes = 16)]
async fn drops_a_send(file: FileHandle, bytes: Bytes<'_>) -> Result<usize, Error> {
    let (mut head, mut rest) = bytes.split_at(8);
    {
        let mut send = pin!(send_vectored(&file, [head.piece(0..8), rest.piece(0..8)], false));
        std::future::poll_fn(|cx| {
            assert!(send.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    assert!(head.is_lent() && rest.is_lent() && rest.try_get().is_err());
    send_vectored(&file, [rest.piece(0..1)], false).await
}

#[test]
fn pieces_of_a_dropped_send_are_lent_until_it_has_ended() {
    lab!(ex, script, run, pool = 1, ops = 1);
    static FILES: FileTable<2> = FileTable::new();
    script.on_cancel(OnCancel::Ignore);
    // SAFETY: R4: the scripted loop has no real files.
    let file = unsafe { FILES.control().reserve().unwrap().open(3) };
    let mut task = pin!(ex.enter(|| drops_a_send::spawn(file)).unwrap());
    settle(&mut ex);
    assert_eq!(script.pending_len(), 1, "the second send waits for the first");
    script.complete(script.pending(0).unwrap().token, -libc::ECANCELED);
    settle(&mut ex);
    let op = script.pending(0).unwrap();
    assert_eq!(pieces(&op.op), [vec![0]]);
    script.complete(op.token, 1);
    settle(&mut ex);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(Ok(1))));
    drain(&mut ex, script);
    assert_eq!(FILES.control().memory().used, 0);
}

/// Polls a future once, and says whether it is pending.
async fn poll_once<F: Future>(future: F) -> bool {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

#[test]
fn a_second_listener_of_a_socket_waits_for_the_first_ones_accept_to_end() {
    lab!(ex, script, run, pool = 1, ops = 2);
    script.on_cancel(OnCancel::Ignore);
    listener!(listener, FILES, 8, CLOSED);
    let task = ex.enter(|| {
        run::spawn(body(async move {
            assert!(poll_once(listener.incoming().next()).await);
            let file = listener.file().clone();
            drop(listener);
            Listener::new(file).accept(FILES.control()).await.unwrap().raw() as u64
        }))
    });
    let mut task = pin!(task.unwrap());
    settle(&mut ex);
    script.complete(script.pending(0).unwrap().token, -libc::ECANCELED);
    settle(&mut ex);
    script.complete(script.pending(0).unwrap().token, 77);
    drain(&mut ex, script);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(77)));
}

#[test]
fn a_connection_that_came_is_kept_while_the_table_is_full() {
    lab!(ex, script, run, pool = 1, ops = 2);
    listener!(listener, FILES, 2, CLOSED);
    let task = ex.enter(|| {
        run::spawn(body(async move {
            assert!(poll_once(listener.accept(FILES.control())).await);
            let other = FILES.control().reserve().unwrap();
            unboxed::yield_now().await;
            assert_eq!(listener.accept(FILES.control()).await.unwrap_err(), Error::TableFull { entries: 2 });
            assert_eq!(listener.incoming().next().await.unwrap_err(), Error::TableFull { entries: 2 });
            drop(other);
            listener.incoming().next().await.unwrap().raw() as u64
        }))
    });
    let mut task = pin!(task.unwrap());
    ex.turn(unboxed::exec::Budget { polls: 1, ..unboxed::exec::Budget::POLL });
    script.complete(script.pending(0).unwrap().token, 55);
    drain(&mut ex, script);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(55)));
    assert_eq!(FILES.control().memory().refused, 0);
}

#[test]
fn bytes_of_several_dropped_reads_add_up() {
    use unboxed::io::{TransferKind, transfer};
    lab!(ex, script, run, pool = 1, ops = 3);
    script.on_cancel(OnCancel::Ignore);
    static FILES: FileTable<2> = FileTable::new();
    // SAFETY: R4: the scripted loop has no real files.
    let file = unsafe { FILES.control().reserve().unwrap().open(3) };
    let task = ex.enter(|| {
        run::spawn(body(async move {
            let both = async {
                let mut one = pin!(transfer(&file, TransferKind::Recv, Vec::with_capacity(8)));
                let mut two = pin!(transfer(&file, TransferKind::Recv, Vec::with_capacity(8)));
                assert!(poll_once(one.as_mut()).await && poll_once(two.as_mut()).await);
            };
            both.await;
            match transfer(&file, TransferKind::Recv, Vec::with_capacity(8)).await.0 {
                Err(Error::BytesDropped(count)) => u64::from(count),
                other => panic!("{other:?}"),
            }
        }))
    });
    let mut task = pin!(task.unwrap());
    settle(&mut ex);
    script.complete_read(script.pending(0).unwrap().token, b"12345");
    settle(&mut ex);
    script.complete(script.pending(0).unwrap().token, -libc::ECANCELED);
    drain(&mut ex, script);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(5)));
}

#[test]
fn a_script_cannot_bring_more_bytes_than_were_asked_for() {
    lab!(ex, script, run, pool = 1, ops = 1);
    static FILES: FileTable<1> = FileTable::new();
    // SAFETY: R4: the scripted loop has no real files.
    let mut file = unsafe { FILES.control().reserve().unwrap().open(9) };
    let task = ex.enter(|| {
        run::spawn(body(async move {
            let (count, read) = transfer(&mut file, TransferKind::Recv, Vec::with_capacity(4)).await;
            let read = read.unwrap();
            assert_eq!((count, &*read), (Ok(read.capacity()), &*vec![0; read.capacity()]));
            let (count, _) = write_all(&mut file, TransferKind::Send, vec![1, 2, 3]).await;
            count.unwrap() as u64
        }))
    });
    let mut task = pin!(task.unwrap());
    settle(&mut ex);
    let op = script.pending(0).unwrap().token;
    script.complete_more(op, 1_000_000);
    script.complete(op, 1_000_000);
    // It waits no more.
    script.complete_more(op, 1_000_000);
    settle(&mut ex);
    script.complete(script.pending(0).unwrap().token, 1_000_000);
    settle(&mut ex);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(3)));
    drain(&mut ex, script);
}

#[test]
fn a_write_of_everything_at_the_files_own_position_stays_there() {
    lab!(ex, script, run, pool = 1, ops = 1);
    static FILES: FileTable<1> = FileTable::new();
    // SAFETY: R4: the scripted loop has no real files.
    let file = unsafe { FILES.control().reserve().unwrap().open(3) };
    let task = ex.enter(|| {
        run::spawn(body(async move {
            let (result, _) = write_all(&file, TransferKind::WriteAt(u64::MAX), vec![1_u8; 8]).await;
            result.unwrap() as u64
        }))
    });
    for _ in 0..2 {
        settle(&mut ex);
        let write = script.pending(0).unwrap();
        assert!(matches!(write.op, Descriptor::Write { offset: u64::MAX, .. }));
        script.complete(write.token, 4);
    }
    settle(&mut ex);
    assert_eq!(ex.block_on(task.unwrap()), Ok(8));
}
