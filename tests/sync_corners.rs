//! Corners of the locks: panics in wakers and initialisers, calls from within calls, leaks, who may be sent.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use unboxed::sync::{Mutex, Notify, OnceCell, RwLock, Semaphore, Tasks, TryAcquireError};

const MANY: usize = 40;

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Does something when it is woken.
struct When<F>(F);

impl<F: Fn() + Send + Sync> Wake for When<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn when(run: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(When(run)))
}

#[test]
fn a_wake_that_panics_loses_none_of_the_others() {
    for which in [0, 1, 15, 16, MANY - 1] {
        let semaphore = Semaphore::new(0);
        let woken = Arc::new(AtomicUsize::new(0));
        let mut waiting: Vec<_> = (0..MANY).map(|_| Box::pin(semaphore.acquire(1))).collect();
        for (index, acquire) in waiting.iter_mut().enumerate() {
            let count = woken.clone();
            let waker = when(move || {
                assert_ne!(index, which, "this one");
                count.fetch_add(1, Ordering::SeqCst);
            });
            assert!(acquire.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        catch_unwind(AssertUnwindSafe(|| semaphore.add_permits(MANY as u32))).expect_err("the wake's panic");
        assert_eq!(woken.load(Ordering::SeqCst), MANY - 1);
        assert!(waiting.iter_mut().all(|acquire| poll(acquire.as_mut()).is_ready()));
    }
}

/// A call for one from within a call for all, before the last batch is out: those are told by the call for all,
/// and the call for one is stored.
#[test]
fn one_from_within_all_is_not_swallowed() {
    static NOTIFY: Notify = Notify::new();
    let mut waiting: Vec<_> = (0..MANY).map(|_| Box::pin(NOTIFY.notified())).collect();
    let first = when(|| NOTIFY.notify_one());
    assert!(waiting[0].as_mut().poll(&mut Context::from_waker(&first)).is_pending());
    for notified in &mut waiting[1..] {
        assert!(poll(notified.as_mut()).is_pending());
    }
    NOTIFY.notify_all();
    assert!(waiting.iter_mut().all(|notified| poll(notified.as_mut()).is_ready()));
    assert!(poll(pin!(NOTIFY.notified())).is_ready());
    assert!(poll(pin!(NOTIFY.notified())).is_pending());
}

/// Who comes to wait from within a call for all is not told by it.
#[test]
fn all_ends_though_those_who_are_told_wait_again() {
    static NOTIFY: Notify = Notify::new();
    static AGAIN: AtomicUsize = AtomicUsize::new(0);
    let mut waiting: Vec<_> = (0..MANY).map(|_| Box::pin(NOTIFY.notified())).collect();
    let again = when(|| {
        let mut notified = Box::pin(NOTIFY.notified());
        assert!(poll(notified.as_mut()).is_pending());
        // It stays in the list for ever.
        std::mem::forget(notified);
        AGAIN.fetch_add(1, Ordering::SeqCst);
    });
    for notified in &mut waiting {
        assert!(notified.as_mut().poll(&mut Context::from_waker(&again)).is_pending());
    }
    NOTIFY.notify_all();
    assert_eq!(AGAIN.load(Ordering::SeqCst), MANY);
    assert!(waiting.iter_mut().all(|notified| poll(notified.as_mut()).is_ready()));
}

#[test]
fn a_writer_that_waits_stops_new_readers() {
    let lock = RwLock::new(0);
    let reader = lock.try_read().expect("free");
    let mut late;
    {
        let mut writer = pin!(lock.write());
        assert!(poll(writer.as_mut()).is_pending());
        assert!(lock.try_read().is_none());
        late = Box::pin(lock.read());
        assert!(poll(late.as_mut()).is_pending());
    }
    // The writer has gone, and holds nobody up.
    let Poll::Ready(second) = poll(late.as_mut()) else { panic!("let in") };
    drop((reader, second));
    assert!(lock.try_write().is_some());
}

/// Readers that always overlap do not keep a writer out, and writers that always wait do not keep a reader out: each
/// gets it after those who came before, and nobody else.
#[test]
fn neither_readers_nor_writers_starve() {
    let lock = RwLock::new(0);
    let mut reads = vec![lock.try_read().expect("free")];
    let mut waiting: Vec<_> = Vec::new();
    {
        let mut writer = pin!(lock.write());
        for before in 1..20 {
            // A new reader comes before the last one goes, as long as it is let in.
            let mut read = Box::pin(lock.read());
            match poll(read.as_mut()) {
                Poll::Ready(guard) => reads.push(guard),
                Poll::Pending => waiting.push(read),
            }
            if before == 5 {
                assert!(poll(writer.as_mut()).is_pending());
            }
            assert_eq!(waiting.len(), usize::saturating_sub(before, 5), "it overtook the writer");
        }
        reads.clear();
        let Poll::Ready(guard) = poll(writer) else { panic!("the readers have gone") };
        // Other writers come, behind the readers.
        let mut writers: Vec<_> = (0..5).map(|_| Box::pin(lock.write())).collect();
        assert!(writers.iter_mut().all(|write| poll(write.as_mut()).is_pending()));
        drop(guard);
        for read in &mut waiting {
            let Poll::Ready(guard) = poll(read.as_mut()) else { panic!("a later writer overtook it") };
            reads.push(guard);
        }
        assert!(poll(writers[0].as_mut()).is_pending());
    }
    drop(reads);
    assert!(lock.try_write().is_some());
}

#[test]
fn an_initialiser_that_fails_panics_or_goes_passes_the_turn_on() {
    let cell = OnceCell::new();
    let mut goes = Box::pin(cell.get_or_init(pending::<u32>));
    let mut panics = pin!(cell.get_or_init(async || panic!("in the initialiser")));
    let mut fails = pin!(cell.get_or_try_init(async || Err("no")));
    let mut makes = pin!(cell.get_or_init(async || 4));
    let mut sees = pin!(cell.get_or_init(async || 5));
    assert!(poll(goes.as_mut()).is_pending());
    assert!(poll(panics.as_mut()).is_pending());
    assert!(poll(fails.as_mut()).is_pending());
    assert!(poll(makes.as_mut()).is_pending());
    assert!(poll(sees.as_mut()).is_pending());
    assert!(cell.set(1).is_err());
    drop(goes);
    catch_unwind(AssertUnwindSafe(|| poll(panics.as_mut()).is_ready())).expect_err("its panic");
    assert!(poll(sees.as_mut()).is_pending());
    assert_eq!(poll(fails.as_mut()), Poll::Ready(Err("no")));
    assert_eq!(poll(makes.as_mut()), Poll::Ready(&4));
    assert_eq!(poll(sees.as_mut()), Poll::Ready(&4));
    assert_eq!(cell.get(), Some(&4));
}

/// A future that is leaked while it waits keeps its place; nothing dangles, and those around it may go.
#[test]
fn a_leaked_waiter_keeps_its_place() {
    let semaphore: &'static Semaphore = Box::leak(Box::new(Semaphore::new(0)));
    let mut before = Box::pin(semaphore.acquire(1));
    let mut leaked = Box::pin(semaphore.acquire(1));
    let mut behind = Box::pin(semaphore.acquire(1));
    assert!(poll(before.as_mut()).is_pending());
    assert!(poll(leaked.as_mut()).is_pending());
    assert!(poll(behind.as_mut()).is_pending());
    std::mem::forget(leaked);
    drop(before);
    semaphore.add_permits(1);
    assert!(poll(behind.as_mut()).is_pending());
    semaphore.add_permits(1);
    assert!(poll(behind.as_mut()).is_ready());
}

#[test]
fn too_many_permits_are_refused() {
    let semaphore = Semaphore::new(u32::MAX);
    catch_unwind(AssertUnwindSafe(|| semaphore.add_permits(1))).expect_err("one too many");
    assert_eq!(semaphore.available(), u32::MAX);
    semaphore.close();
    assert_eq!(semaphore.try_acquire(1).unwrap_err(), TryAcquireError::Closed);
}

/// What a task may hold across `.await`.
#[test]
fn futures_and_guards_are_sent() {
    fn sent<T: Send>(_: &T) {}
    fn shared<T: Sync>(_: &T) {}
    let mutex = Mutex::<_, Tasks>::with_domain(std::cell::Cell::new(0));
    let (lock, cell, once) = (RwLock::new(0), OnceCell::<u32>::new(), Semaphore::new(1));
    shared(&mutex);
    sent(&mutex.lock());
    sent(&mutex.try_lock().expect("free"));
    sent(&lock.read());
    sent(&lock.write());
    sent(&cell.get_or_init(async || 1));
    sent(&once.acquire(1));
    shared(&lock.try_read().expect("free"));
}

/// What lies in a static or a block, and what a waiting task's future grows by.
#[test]
fn sizes_are_small() {
    use unboxed::sync::Local;
    fn at_most<P, Q, F>(_: &P, _: &Q, _: F, most: [usize; 3]) {
        let sizes = [size_of::<P>(), size_of::<Q>(), size_of::<F>()];
        assert!(sizes.iter().zip(most).all(|(&size, most)| size <= most), "{sizes:?} of {most:?}");
    }
    let mutexes = (Mutex::<(), Local>::with_domain(()), Mutex::new(()));
    at_most(&mutexes.0, &mutexes.1, mutexes.1.lock(), [24, 32, 56]);
    let locks = (RwLock::<(), Local>::with_domain(()), RwLock::new(()));
    at_most(&locks.0, &locks.1, locks.1.write(), [24, 32, 56]);
    let semaphores = (Semaphore::<Local>::with_domain(1), Semaphore::new(1));
    at_most(&semaphores.0, &semaphores.1, semaphores.1.acquire(1), [24, 32, 64]);
    let notifies = (Notify::<Local>::with_domain(), Notify::new());
    at_most(&notifies.0, &notifies.1, notifies.1.notified(), [32, 40, 64]);
    let cells = (OnceCell::<u8, Local>::with_domain(), OnceCell::<u8>::new());
    at_most(&cells.0, &cells.1, cells.1.turn(), [32, 40, 56]);
    at_most(&mutexes.1.try_lock(), &semaphores.1.try_acquire(1), (), [8, 16, 0]);
}
