//! Operations whose holder, task and loop are at different workers, turned one after the other.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;
use unboxed::buf::BufPool;
use unboxed::event_loop::scripted::OnCancel;
use unboxed::exec::{Budget, Executor, Idle, Mode, Remote, SchedulerStorage};
use unboxed::file::FileTable;
use unboxed::io::Reader;
use unboxed::op::{Error, Nop, nop};
use unboxed::time::{Sleep, sleep};
use unboxed_tests::{Body, Script, Shared, body, poll_once};

/// Two workers over a loop each, and a pool of tasks.
macro_rules! pair {
    ($pair:ident, $run:ident, $mode:ident) => {
        #[unboxed::task(pool = 4, ops = 1)]
        async fn $run(body: Body) -> u64 {
            body.await
        }
        static STORAGE: SchedulerStorage<2, 1, 2> = SchedulerStorage::new();
        static LOOPS: [Script; 2] = [const { Script::new() }; 2];
        let mut $pair = Pair::new(&STORAGE, &LOOPS, Mode::$mode);
    };
}

struct Pair {
    remote: Remote,
    workers: [Executor; 2],
}

impl Pair {
    fn new(storage: &'static SchedulerStorage<2, 1, 2>, loops: &'static [Script; 2], mode: Mode) -> Self {
        let remote = storage.open(2, mode, Idle::Sleep).unwrap();
        Self { remote, workers: [0, 1].map(|i| storage.start(i, &loops[i], 0).unwrap()) }
    }

    fn at(&self, worker: usize) -> Remote {
        self.remote.worker(worker).unwrap()
    }

    fn turn(&mut self, worker: usize, times: u32) {
        for _ in 0..times {
            self.workers[worker].turn(Budget::POLL);
        }
    }

    fn settle(&mut self) {
        for _ in 0..20 {
            self.turn(0, 1);
            self.turn(1, 1);
        }
    }

    fn close(self) {
        let mut workers = self.workers;
        let mut left = [true; 2];
        for _ in 0..1000 {
            for (worker, left) in workers.iter_mut().zip(&mut left) {
                *left = *left && worker.close_step(u64::MAX / 2).is_none();
            }
        }
        assert_eq!(left, [false; 2], "the close does not end");
        let _: [(); 2] = workers.map(std::mem::forget);
    }
}

/// Counts the polls of a future.
async fn counted<F: Future>(polls: &'static AtomicU32, future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await
}

/// Begins `op` in a task at worker 0, which leaves it in `shared` and then does `then`.
fn leaves<O>(shared: &Shared<O>, op: O, then: impl Future<Output = u64> + Send + 'static) -> Body
where
    O: Future + Unpin + Send + 'static,
{
    let shared = shared.clone();
    body(async move {
        let mut op = op;
        assert!(poll_once(&mut op).await.is_pending());
        *shared.lock().unwrap() = Some(op);
        then.await
    })
}

#[test]
fn who_waits_for_another_workers_slot_does_not_spin() {
    static FILES: FileTable<2> = FileTable::new();
    static BUFFERS: BufPool<2, 64> = BufPool::new();
    static POLLS: AtomicU32 = AtomicU32::new(0);
    pair!(pair, run, PerCore);
    LOOPS[0].on_cancel(OnCancel::Ignore);
    // SAFETY: R4: the scripted loop has no real files.
    let file = unsafe { FILES.control().reserve().unwrap().open(9) };
    let first = file.clone();
    let dropped = run::spawn_on(
        &pair.at(0),
        body(async move {
            let mut reader = Reader::new(first, BUFFERS.lease().unwrap());
            assert!(poll_once(&mut reader.fill()).await.is_pending());
            0
        }),
    );
    pair.settle();
    dropped.unwrap().detach();
    let waits = run::spawn_on(
        &pair.at(1),
        body(async move {
            let mut reader = Reader::new(file, BUFFERS.lease().unwrap());
            counted(&POLLS, reader.fill()).await.unwrap() as u64
        }),
    );
    let waits = waits.unwrap();
    for _ in 0..10 {
        pair.settle();
    }
    assert!(POLLS.load(Ordering::Relaxed) <= 2, "it wakes itself: {POLLS:?}");
    let op = LOOPS[0].pending(0).unwrap();
    assert!(op.cancelled);
    LOOPS[0].complete(op.token, -125);
    pair.settle();
    LOOPS[1].complete_read(LOOPS[1].pending(0).unwrap().token, b"word");
    pair.settle();
    assert_eq!(waits.peek(), Some(Ok(&4)));
    drop(waits);
    pair.close();
    assert_eq!((run::memory().used, FILES.control().memory().used, BUFFERS.memory().used), (0, 0, 0));
}

#[test]
fn a_handle_learns_that_its_task_has_ended_at_another_worker_than_its_loops() {
    pair!(pair, run, Stealing);
    LOOPS[0].on_cancel(OnCancel::Ignore);
    let shared: Shared<Nop> = Shared::default();
    let begun = leaves(&shared, nop(), std::future::pending());
    let owner = pair.workers[0].enter(|| run::spawn(begun)).unwrap();
    pair.turn(0, 2);
    let op = shared.lock().unwrap().take().unwrap();
    let waits = run::spawn_on(&pair.at(1), body(async move { u64::from(op.await == Err(Error::TaskEnded)) }));
    // The waker reaches the slot before the task ends.
    let waits = waits.unwrap();
    pair.settle();
    pair.workers[1].enter(|| owner.abort());
    pair.turn(1, 2);
    assert!(owner.is_finished(), "it ends at worker 1");
    drop(owner);
    pair.settle();
    assert!(!waits.is_finished(), "the operation is still in flight");
    LOOPS[0].complete(LOOPS[0].pending(0).unwrap().token, 0);
    pair.settle();
    assert_eq!(waits.peek(), Some(Ok(&1)));
    drop(waits);
    pair.close();
    assert_eq!(run::memory().used, 0);
}

/// REQUEST-3: a message lies in worker 0's inbox while the slot's next activation is worker 1's.
#[test]
fn a_message_in_an_earlier_workers_inbox_is_passed_on() {
    pair!(pair, run, Stealing);
    let (first, second): (Shared<Nop>, Shared<Sleep>) = Default::default();
    let owner = pair.workers[0].enter(|| run::spawn(leaves(&first, nop(), pass(1)))).unwrap();
    pair.turn(0, 1);
    LOOPS[0].complete(LOOPS[0].pending(0).unwrap().token, 0);
    // A plain thread asks after worker 0 has taken its messages, and before it reaps.
    let op = first.lock().unwrap().take().unwrap();
    let asks = body(async move {
        let asking = std::thread::spawn(move || {
            let mut op = op;
            let poll = std::pin::pin!(&mut op).poll(&mut Context::from_waker(Waker::noop()));
            assert!(poll.is_pending());
            std::mem::forget(op);
        });
        asking.join().unwrap();
        0
    });
    run::spawn_on(&pair.at(0), asks).unwrap().detach();
    pair.turn(0, 1);
    // The task ends at worker 1, which frees the slot, and its block is used again there.
    pair.turn(1, 40);
    assert!(owner.is_finished());
    drop(owner);
    let timer = sleep(Duration::from_secs(1));
    let owner = run::spawn_on(&pair.at(1), leaves(&second, timer, std::future::pending())).unwrap();
    pair.turn(1, 1);
    drop(second.lock().unwrap().take());
    assert_eq!(pair.workers.each_ref().map(Executor::in_flight), [0, 1]);
    pair.turn(0, 1);
    pair.turn(1, 2);
    assert_eq!(pair.workers.each_ref().map(Executor::in_flight), [0, 0]);
    drop(owner);
    pair.close();
    assert_eq!(run::memory().used, 0);
}

/// Pending so many times, and woken by what is in flight.
async fn pass(times: u32) -> u64 {
    let mut left = times;
    poll_fn(|_| {
        left = left.wrapping_sub(1);
        if left < times { std::task::Poll::Pending } else { std::task::Poll::Ready(0) }
    })
    .await
}
