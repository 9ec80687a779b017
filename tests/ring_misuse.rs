//! Misuse by safe code on the real ring: afterwards everything is as before.

use std::net::{Ipv4Addr, SocketAddr, TcpStream as PlainStream};
use std::time::{Duration, Instant};
use unboxed::net::{TcpListener, TcpStream};
use unboxed::op::{custom, nop};
use unboxed::rt::{Config, RuntimeCell};
use unboxed::task::{Bytes, JoinError};
use unboxed::{Error, yield_now};
use unboxed_tests::ready_at_once;

macro_rules! runtime {
    ($config:expr) => {{
        static CELL: RuntimeCell<64> = RuntimeCell::new();
        match CELL.start($config) {
            Ok(runtime) => runtime,
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        }
    }};
    () => {
        runtime!(Config::new())
    };
}

async fn pair() -> (TcpStream, PlainStream) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut listener = TcpListener::bind(address).unwrap();
    let peer = PlainStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().await.unwrap(), peer)
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[unboxed::task(pool = 50, ops = 1)]
async fn many_nops(rounds: u32) -> u32 {
    for _ in 0..rounds {
        nop().await.unwrap();
    }
    rounds
}

#[test]
fn fifty_tasks_on_a_completion_queue_of_four() {
    let mut runtime = runtime!(Config::new().entries(2).completion_entries(4));
    runtime.block_on(async {
        let mut handles = Vec::new();
        for _ in 0..50 {
            handles.push(many_nops::spawn(40).unwrap());
        }
        for handle in handles {
            assert_eq!(handle.await, Ok(40));
        }
    });
    assert_eq!(runtime.in_flight(), 0);
    assert_eq!(many_nops::memory().used, 0);
}

#[unboxed::task(pool = 1, ops = 4)]
async fn polls_and_drops(rounds: u32) {
    for _ in 0..rounds {
        let mut op = Box::pin(nop());
        // A task that has used up its slots gets an error, and goes on when some have come back.
        while ready_at_once(op.as_mut()).await {
            yield_now().await;
            op = Box::pin(nop());
        }
    }
}

#[test]
fn six_hundred_operations_polled_once_and_dropped() {
    let mut runtime = runtime!(Config::new().entries(2).completion_entries(4));
    runtime.block_on(async { polls_and_drops::spawn(600).unwrap().await.unwrap() });
    assert_eq!(polls_and_drops::memory().used, 0);
}

#[unboxed::task(pool = 1, ops = 2, bytes = 64)]
async fn leaks_a_read(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    let mut read = Box::pin(stream.read(&mut bytes));
    assert!(!ready_at_once(read.as_mut()).await);
    std::mem::forget(read);
}

#[test]
fn a_leaked_read_pins_its_block_until_the_kernel_has_let_go() {
    let mut runtime = runtime!();
    runtime.block_on(async {
        let (stream, peer) = pair().await;
        leaks_a_read::spawn(stream).unwrap().await.unwrap();
        for _ in 0..100 {
            if leaks_a_read::memory().used == 0 {
                break;
            }
            unboxed::time::sleep(Duration::from_millis(1)).await.unwrap();
        }
        drop(peer);
    });
    assert_eq!(leaks_a_read::memory().used, 0);
    assert_eq!(runtime.in_flight(), 0);
}

#[unboxed::task(pool = 1, ops = 2, bytes = 64)]
async fn touches_lent_bytes(mut stream: TcpStream, mut bytes: Bytes<'_>) -> bool {
    {
        let mut read = Box::pin(stream.read(&mut bytes));
        assert!(!ready_at_once(read.as_mut()).await);
    }
    let refused = bytes.try_get().is_err();
    // The next operation on the same bytes waits until the first has let go.
    let written = stream.write(&mut bytes).await.is_ok();
    refused && written && bytes.try_get().is_ok()
}

#[test]
fn lent_bytes_are_refused_and_the_next_operation_waits() {
    runtime!().block_on(async {
        let (stream, _peer) = pair().await;
        assert_eq!(touches_lent_bytes::spawn(stream).unwrap().await, Ok(true));
    });
}

#[unboxed::task(pool = 1, ops = 1)]
async fn begins_and_hands_over(to: std::sync::mpsc::Sender<std::pin::Pin<Box<unboxed::time::Sleep>>>) {
    let mut sleep = Box::pin(unboxed::time::sleep(Duration::from_millis(5)));
    assert!(!ready_at_once(sleep.as_mut()).await);
    to.send(sleep).unwrap();
    unboxed::time::sleep(Duration::from_millis(20)).await.unwrap_err();
    yield_now().await;
}

#[test]
fn an_operation_moved_to_another_task_is_awaited_there_or_ends_with_its_owner() {
    runtime!().block_on(async {
        let (to, from) = std::sync::mpsc::channel();
        let task = begins_and_hands_over::spawn(to).unwrap();
        yield_now().await;
        yield_now().await;
        let sleep = from.recv().unwrap();
        let result = sleep.await;
        assert!(matches!(result, Ok(()) | Err(Error::TaskEnded)), "{result:?}");
        let _ = task.await;
    });
}

#[unboxed::task(pool = 1)]
async fn panics() {
    nop().await.unwrap();
    panic!("on purpose");
}

#[test]
fn a_panicking_task_ends_alone() {
    runtime!().block_on(async {
        assert_eq!(panics::spawn().unwrap().await, Err(JoinError::Panicked));
        nop().await.unwrap();
    });
    assert_eq!(panics::memory().used, 0);
}

#[test]
fn a_zero_copy_send_to_a_peer_that_does_not_read_is_dropped_at_once() {
    let mut runtime = runtime!();
    runtime.block_on(async {
        let (mut stream, peer) = pair().await;
        let began = Instant::now();
        {
            let mut send = Box::pin(stream.write_zero_copy(vec![1u8; 8 << 20]));
            let _ = ready_at_once(send.as_mut()).await;
        }
        nop().await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(1), "the worker was held up");
        drop(peer);
    });
}

#[test]
fn closing_with_operations_in_flight_ends_and_closes_every_descriptor() {
    let before = open_files();
    static CELL: RuntimeCell<64> = RuntimeCell::new();
    for _ in 0..3 {
        let mut runtime = match CELL.start(Config::new()) {
            Ok(runtime) => runtime,
            Err(error) => return println!("skipped: {error}"),
        };
        let peer = runtime.block_on(async {
            let (stream, peer) = pair().await;
            waits_for_ever::spawn(stream).unwrap().detach();
            yield_now().await;
            peer
        });
        let report = runtime.close(Duration::from_secs(5));
        assert_eq!((report.aborted, report.detached), (1, 0));
        assert_eq!(waits_for_ever::memory().used, 0);
        drop(peer);
    }
    // Other tests of this process open files meanwhile, so only a leak of ours, one a round, would show.
    assert!(open_files() <= before + 24, "{} files, {before} before", open_files());
}

#[unboxed::task(pool = 1, ops = 1, bytes = 16)]
async fn waits_for_ever(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    let _ = stream.read(&mut bytes).await;
}

#[unboxed::task(local, pool = 2)]
async fn counts_locally(cell: std::rc::Rc<std::cell::Cell<u32>>, times: u32) -> std::rc::Rc<str> {
    for _ in 0..times {
        cell.set(cell.get() + 1);
        yield_now().await;
    }
    "done".into()
}

#[test]
fn a_local_task_holds_what_is_not_send() {
    runtime!().block_on(async {
        let cell = std::rc::Rc::new(std::cell::Cell::new(0));
        let first = counts_locally::spawn(cell.clone(), 10).unwrap();
        let second = counts_locally::spawn(cell.clone(), 5).unwrap();
        let refused = counts_locally::spawn(cell.clone(), 1).unwrap_err();
        assert_eq!(refused.args.1, 1, "a full pool hands the arguments back");
        drop(refused);
        assert_eq!(&*first.await.unwrap(), "done");
        second.await.unwrap();
        assert_eq!(cell.get(), 15);
        assert_eq!(std::rc::Rc::strong_count(&cell), 1);
    });
}

#[test]
fn a_runtime_within_a_runtime_is_refused_with_an_explanation() {
    runtime!().block_on(async {
        static INNER: RuntimeCell<4> = RuntimeCell::new();
        let mut inner = INNER.start(Config::new()).unwrap();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| inner.block_on(async {})));
        assert!(result.is_err());
        // Closing another runtime is no nesting.
        assert_eq!(inner.close(Duration::ZERO).detached, 0);
        nop().await.unwrap();
    });
}

/// Notes the thread that drops it.
struct Here(std::thread::ThreadId, std::rc::Rc<std::cell::Cell<u32>>);

impl Drop for Here {
    fn drop(&mut self) {
        assert_eq!(self.0, std::thread::current().id());
        self.1.set(self.1.get() + 1);
    }
}

#[unboxed::task(pool = 700, ops = 1, local)]
async fn stays(_here: Here) {
    std::future::pending::<()>().await;
}

#[test]
fn a_close_without_time_drops_every_local_body_on_its_thread() {
    static CELL: RuntimeCell<4> = RuntimeCell::new();
    let Ok(mut runtime) = CELL.start(Config::new()) else { return println!("skipped: no ring") };
    let count = std::rc::Rc::new(std::cell::Cell::new(0));
    runtime.enter(|| {
        for _ in 0..700 {
            stays::spawn(Here(std::thread::current().id(), count.clone())).unwrap().detach();
        }
    });
    runtime.close(Duration::ZERO);
    assert_eq!((count.get(), stays::memory().used), (700, 0));
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[unboxed::task]
async fn bomb() {
    let _bomb = Bomb;
    std::future::pending::<()>().await;
}

#[test]
fn a_body_that_panics_when_a_close_drops_it_ends_the_close_with_its_panic() {
    static CELL: RuntimeCell<4> = RuntimeCell::new();
    let Ok(mut runtime) = CELL.start(Config::new()) else { return println!("skipped: no ring") };
    runtime.block_on(async {
        bomb::spawn().unwrap().detach();
        unboxed::yield_now().await;
        unboxed::yield_now().await;
    });
    let closed =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.close(Duration::from_secs(1))));
    assert!(closed.is_err());
    assert_eq!(bomb::memory().used, 0);
}

/// Linux's number.
const EOPNOTSUPP: i32 = 95;

#[test]
fn an_operation_that_no_ring_knows_is_refused_by_its_result() {
    let mut runtime = runtime!();
    // SAFETY: the arguments name no memory.
    let refused = runtime.block_on(async { unsafe { custom(1, [0; 4]) }.await });
    assert_eq!(refused, Err(Error::Os(EOPNOTSUPP)));
}
