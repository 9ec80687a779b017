//! What safe code may do to locks and channels: wakers that panic in each of their functions, futures and guards that
//! are leaked, primitives that move or go while leaked futures wait, polls after the end.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use unboxed::channel::{Channel, Oneshot, RecvError, SendError, Watch};
use unboxed::op::Completions;
use unboxed::sync::{Mutex, Notify, OnceCell, RwLock, Semaphore};

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs something when it is cloned, and when it is dropped.
struct Hooks {
    on_clone: Cell<Option<Box<dyn FnOnce()>>>,
    on_drop: Cell<Option<Box<dyn FnOnce()>>>,
}

const VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: the data of each waker is a counted pointer, and all stays on one thread.
        let hooks = std::mem::ManuallyDrop::new(unsafe { Rc::from_raw(data.cast::<Hooks>()) });
        if let Some(run) = hooks.on_clone.take() {
            run();
        }
        RawWaker::new(Rc::into_raw(Rc::clone(&hooks)).cast(), &VTABLE)
    },
    |_| unreachable!("nobody wakes it"),
    |_| unreachable!("nobody wakes it"),
    |data| {
        // SAFETY: as above.
        let hooks = unsafe { Rc::from_raw(data.cast::<Hooks>()) };
        if let Some(run) = hooks.on_drop.take() {
            run();
        }
    },
);

fn waker(on_clone: impl FnOnce() + 'static, on_drop: Option<fn()>) -> Waker {
    let on_drop = Cell::new(on_drop.map(|run| Box::new(run) as Box<dyn FnOnce()>));
    let hooks = Rc::new(Hooks { on_clone: Cell::new(Some(Box::new(on_clone))), on_drop });
    // SAFETY: a counted pointer that the vtable counts; it stays on this thread.
    unsafe { Waker::new(Rc::into_raw(hooks).cast(), &VTABLE) }
}

/// Polls with a waker that panics when it is cloned.
fn poll_panicking<F: Future>(future: Pin<&mut F>) {
    let waker = waker(|| panic!("in a clone"), None);
    let polled = AssertUnwindSafe(|| future.poll(&mut Context::from_waker(&waker)).is_ready());
    catch_unwind(polled).expect_err("the clone's panic");
}

/// A future that waits is not in line after its first clone panicked, and keeps its place and its old waker when a
/// later one does; `end` lets it end.
fn survives_panicking_clones<F: Future>(future: F, end: impl FnOnce()) -> F::Output {
    let mut future = pin!(future);
    poll_panicking(future.as_mut());
    assert!(poll(future.as_mut()).is_pending());
    poll_panicking(future.as_mut());
    end();
    match poll(future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it lost its place"),
    }
}

#[test]
fn a_clone_that_panics_changes_nothing() {
    let mutex = Mutex::new(0);
    let held = mutex.try_lock().expect("free");
    drop(survives_panicking_clones(mutex.lock(), || drop(held)));
    assert!(mutex.try_lock().is_some());

    let lock = RwLock::new(0);
    let held = lock.try_write().expect("free");
    drop(survives_panicking_clones(lock.read(), || drop(held)));
    let held = lock.try_read().expect("free");
    drop(survives_panicking_clones(lock.write(), || drop(held)));
    assert!(lock.try_write().is_some());

    let semaphore = Semaphore::new(0);
    drop(survives_panicking_clones(semaphore.acquire(2), || semaphore.add_permits(2)));
    assert_eq!(semaphore.available(), 2);

    let notify = Notify::new();
    survives_panicking_clones(notify.notified(), || notify.notify_one());

    let cell = OnceCell::new();
    let Poll::Ready(Err(turn)) = poll(pin!(cell.turn())) else { panic!("free") };
    assert_eq!(survives_panicking_clones(cell.turn(), || assert_eq!(turn.set(1), &1)).expect("made"), &1);

    let channel: Channel<u32, 1> = Channel::new();
    assert_eq!(survives_panicking_clones(channel.recv(), || channel.try_send(1).expect("room")), Ok(1));
    channel.try_send(2).expect("room");
    assert_eq!(survives_panicking_clones(channel.send(3), || assert_eq!(channel.try_recv(), Ok(2))), Ok(()));
    assert_eq!(channel.drain().collect::<Vec<_>>(), [3]);

    let place = Oneshot::new();
    let (sender, mut receiver) = (place.sender().expect("free"), place.receiver().expect("free"));
    assert_eq!(survives_panicking_clones(receiver.recv(), || sender.send(1).expect("waits")), Ok(1));

    let watch = Watch::new(0);
    assert_eq!(survives_panicking_clones(watch.watcher().changed(), || watch.send(1).expect("open")), Ok(()));

    let places = Completions::<u32, 1>::new();
    let (completer, completion) = places.completion().expect("free");
    assert_eq!(survives_panicking_clones(completion, || completer.fire(1).expect("waits")), Ok(1));
    assert_eq!(places.used(), 0);
}

/// While the waker is cloned, what is waited for comes; then the clone, which is not needed, panics when it is dropped.
fn gets_it_during_the_clone<F: Future>(future: F, come: impl FnOnce() + 'static) {
    let mut future = Box::pin(future);
    let waker = waker(come, Some(|| panic!("in a drop")));
    let polled = AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    catch_unwind(polled).expect_err("the drop's panic");
}

/// Nothing stays locked by a poll that panicked.
#[test]
fn a_drop_that_panics_keeps_nothing_locked() {
    fn leak<T>(value: T) -> &'static T {
        Box::leak(Box::new(value))
    }
    let mutex = leak(Mutex::new(0));
    let held = mutex.try_lock().expect("free");
    gets_it_during_the_clone(mutex.lock(), || drop(held));
    assert!(mutex.try_lock().is_some());

    let lock = leak(RwLock::new(0));
    let held = lock.try_write().expect("free");
    gets_it_during_the_clone(lock.read(), || drop(held));
    let held = lock.try_read().expect("free");
    gets_it_during_the_clone(lock.write(), || drop(held));
    assert!(lock.try_write().is_some());

    let semaphore = leak(Semaphore::new(0));
    gets_it_during_the_clone(semaphore.acquire(1), || semaphore.add_permits(1));
    assert_eq!(semaphore.available(), 1);

    let cell = leak(OnceCell::<u32>::new());
    let Poll::Ready(Err(turn)) = poll(pin!(cell.turn())) else { panic!("free") };
    gets_it_during_the_clone(cell.turn(), || drop(turn));
    cell.set(1).expect("nobody has the turn");
}

/// The same when it is served, and polled with another waker, within whose clone it is served.
#[test]
fn a_served_one_keeps_what_it_has_when_a_drop_panics() {
    let channel: &'static Channel<u32, 1> = Box::leak(Box::new(Channel::new()));
    let mut receiving = Box::pin(channel.recv());
    assert!(poll(receiving.as_mut()).is_pending());
    let waker = waker(|| channel.try_send(7).expect("room"), Some(|| panic!("in a drop")));
    let polled = AssertUnwindSafe(|| receiving.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    catch_unwind(polled).expect_err("the drop's panic");
    assert_eq!(channel.try_recv(), Err(RecvError::Empty), "it is set aside");
    assert_eq!(poll(receiving.as_mut()), Poll::Ready(Ok(7)));
    assert!(channel.is_empty());
}

/// Leaves a future in the list for ever.
fn leak_waiting<F: Future>(future: F) {
    let mut future = Box::pin(future);
    assert!(poll(future.as_mut()).is_pending());
    std::mem::forget(future);
}

/// The list does not know where its primitive lies.
#[test]
fn a_primitive_may_move_while_leaked_futures_wait() {
    let first = Semaphore::new(0);
    leak_waiting(first.acquire(1));
    let moved = Box::new(first);
    moved.add_permits(2);
    assert_eq!(moved.available(), 1);
    leak_waiting(moved.acquire(2));
    std::thread::spawn(move || moved.add_permits(3)).join().expect("no panic");

    let first: Channel<String, 1> = Channel::new();
    first.try_send("lies there".into()).expect("room");
    leak_waiting(first.send("waits".into()));
    let moved = [first];
    assert_eq!(moved[0].try_recv().as_deref(), Ok("lies there"));
    assert_eq!(moved[0].try_recv().as_deref(), Ok("waits"));
    leak_waiting(moved[0].recv());
    moved[0].try_send("set aside for ever".into()).expect("room");
    assert_eq!(moved[0].try_recv(), Err(RecvError::Empty));
    assert!(matches!(moved[0].try_send(String::new()), Err(SendError::Full(_))));

    let watch = Watch::new(1);
    leak_waiting(Box::leak(Box::new(watch.watcher())).changed());
}

/// Each with futures that wait, served or not, on one stack frame; the next frame lies over it.
#[test]
fn a_primitive_may_go_while_leaked_futures_wait() {
    #[inline(never)]
    fn go(value: &str) {
        let mutex = Mutex::new(String::from(value));
        let guard = mutex.try_lock().expect("free");
        leak_waiting(mutex.lock());
        leak_waiting(mutex.lock());
        drop(guard);
        let lock = RwLock::new(String::from(value));
        std::mem::forget(lock.try_read().expect("free"));
        leak_waiting(lock.write());
        let cell = OnceCell::<String>::new();
        assert!(poll(pin!(cell.turn())).map(std::mem::forget).is_ready());
        leak_waiting(cell.turn());
        let notify = Notify::new();
        leak_waiting(notify.notified());
        notify.notify_one();
        let channel: Channel<String, 1> = Channel::new();
        channel.try_send(value.into()).expect("room");
        leak_waiting(channel.send(value.into()));
        leak_waiting(channel.send(value.into()));
        assert_eq!(channel.try_recv().as_deref(), Ok(value));
        let place = Oneshot::<String>::new();
        let mut receiver = place.receiver().expect("free");
        leak_waiting(receiver.recv());
        std::mem::forget(receiver);
        place.sender().expect("free").send(value.into()).expect("somebody may come");
        let places = Completions::<String, 1>::new();
        let (completer, completion) = places.completion().expect("free");
        leak_waiting(completion);
        completer.fire(value.into()).expect("somebody waits");
        assert!(places.completion().is_none(), "a leaked future keeps its place");
    }
    for round in 0..3 {
        go(&"x".repeat(30 + round));
    }
}

/// A leaked guard keeps the lock, for ever, and nobody is let in.
#[test]
fn a_leaked_guard_keeps_its_lock() {
    let mutex = Mutex::new(0);
    std::mem::forget(mutex.try_lock().expect("free"));
    assert!(mutex.try_lock().is_none());
    let lock = RwLock::new(0);
    std::mem::forget(lock.try_read().expect("free"));
    assert!(lock.try_write().is_none() && lock.try_read().is_some());
    let cell = OnceCell::<u32>::new();
    let Poll::Ready(Err(turn)) = poll(pin!(cell.turn())) else { panic!("free") };
    std::mem::forget(turn);
    assert!(cell.set(1).is_err() && poll(pin!(cell.turn())).is_pending() && cell.get().is_none());
}

/// A future that is polled after its end asks anew; what it gets then it gives back like any other.
#[test]
fn a_poll_after_the_end_asks_anew() {
    let mutex = Mutex::new(0);
    {
        let mut lock = pin!(mutex.lock());
        let Poll::Ready(guard) = poll(lock.as_mut()) else { panic!("free") };
        assert!(poll(lock.as_mut()).is_pending());
        drop(guard);
        let Poll::Ready(_guard) = poll(lock.as_mut()) else { panic!("handed over") };
        assert!(poll(lock.as_mut()).is_pending());
    }
    assert!(mutex.try_lock().is_some());

    let semaphore = Semaphore::new(3);
    {
        let mut acquire = pin!(semaphore.acquire(2));
        let Poll::Ready(Ok(permit)) = poll(acquire.as_mut()) else { panic!("enough") };
        assert!(poll(acquire.as_mut()).is_pending());
        drop(permit);
    }
    assert_eq!(semaphore.available(), 3);

    let lock = RwLock::new(0);
    {
        let mut read = pin!(lock.read());
        let (one, two) = (poll(read.as_mut()), poll(read.as_mut()));
        assert!(one.is_ready() && two.is_ready());
    }
    assert!(lock.try_write().is_some());

    let cell = OnceCell::new();
    {
        let mut turn = pin!(cell.turn());
        let Poll::Ready(Err(first)) = poll(turn.as_mut()) else { panic!("free") };
        assert!(poll(turn.as_mut()).is_pending());
        assert_eq!(first.set(4), &4);
        assert!(matches!(poll(turn), Poll::Ready(Ok(4))));
    }

    let channel: Channel<u32, 2> = Channel::new();
    channel.try_send(1).expect("room");
    channel.try_send(2).expect("room");
    let mut recv = pin!(channel.recv());
    assert_eq!((poll(recv.as_mut()), poll(recv.as_mut())), (Poll::Ready(Ok(1)), Poll::Ready(Ok(2))));
    assert!(poll(recv).is_pending());
}
