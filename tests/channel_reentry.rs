//! Channels whose wakers and values use them, when cloned, woken or dropped: nothing foreign runs under a lock.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use unboxed::channel::{Channel, Receiving, SendError, Sending};
use unboxed_tests::{Rng, for_seeds};

/// A waker that uses the channel whenever it is cloned, woken or dropped.
mod reentrant {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{RawWaker, RawWakerVTable, Waker};
    use unboxed::channel::Channel;

    pub static CHANNEL: Channel<u64, 2> = Channel::new();
    pub static CALLS: AtomicUsize = AtomicUsize::new(0);

    fn touch() {
        CALLS.fetch_add(1, Ordering::SeqCst);
        let _ = CHANNEL.len();
        if let Ok(value) = CHANNEL.try_recv() {
            let _ = CHANNEL.try_send(value);
        }
    }

    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            touch();
            RawWaker::new(data, &VTABLE)
        },
        |_| touch(),
        |_| touch(),
        |_| touch(),
    );

    pub fn waker() -> Waker {
        // SAFETY: the functions use no data.
        unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) }
    }
}

#[test]
fn wakers_may_use_the_channel() {
    use reentrant::{CALLS, CHANNEL, waker};
    for_seeds(50, |seed| {
        let mut rng = Rng::new(seed);
        let mut sends: Vec<Pin<Box<Sending<'_, u64, 2>>>> = Vec::new();
        let mut recvs: Vec<Pin<Box<Receiving<'_, u64, 2>>>> = Vec::new();
        for value in 0..200 {
            let waker = waker();
            let mut cx = Context::from_waker(&waker);
            match rng.below(5) {
                0 => sends.push(Box::pin(CHANNEL.send(value))),
                1 => recvs.push(Box::pin(CHANNEL.recv())),
                2 => sends.retain_mut(|send| send.as_mut().poll(&mut cx).is_pending()),
                3 => recvs.retain_mut(|recv| recv.as_mut().poll(&mut cx).is_pending()),
                _ if rng.below(2) == 0 => drop(sends.pop()),
                _ => drop(recvs.pop()),
            }
        }
    });
    CHANNEL.close();
    assert!(CALLS.load(Ordering::SeqCst) > 100);
}

/// A value whose drop uses the channel that it lay in.
struct Clinging(&'static Channel<Clinging, 1>);

impl Drop for Clinging {
    fn drop(&mut self) {
        let _ = self.0.len();
        let _ = self.0.try_recv().map(std::mem::forget);
    }
}

#[test]
fn values_may_use_their_channel_when_dropped() {
    static CHANNEL: Channel<Clinging, 1> = Channel::new();
    let mut cx = Context::from_waker(Waker::noop());
    CHANNEL.try_send(Clinging(&CHANNEL)).unwrap();
    let mut waits = Box::pin(CHANNEL.send(Clinging(&CHANNEL)));
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    drop(waits);
    CHANNEL.try_send(Clinging(&CHANNEL)).unwrap();
    assert!(matches!(CHANNEL.try_send(Clinging(&CHANNEL)), Err(SendError::Full(_))));
    CHANNEL.close();
    CHANNEL.drain().for_each(drop);
}

/// Real threads, with polls that give up: each value arrives once, and every receiver sees rising values.
#[test]
fn threads_lose_nothing() {
    use std::sync::Arc;
    use std::task::{Poll, Wake};
    use unboxed::channel::RecvError;

    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    fn wait<F: Future>(future: F) -> F::Output {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut future = std::pin::pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            std::thread::park();
        }
    }

    const EACH: u64 = 3000;
    static CHANNEL: Channel<u64, 2> = Channel::new();
    let senders = [0, 1, 2].map(|sender| {
        std::thread::spawn(move || (0..EACH).for_each(|i| wait(CHANNEL.send(i * 3 + sender)).unwrap()))
    });
    let receivers = [1, 2, 3].map(|seed| {
        std::thread::spawn(move || {
            let (mut rng, mut got) = (Rng::new(seed), Vec::new());
            loop {
                if rng.below(4) == 0 {
                    // It is dropped after its first poll, served or not.
                    let mut recv = Box::pin(CHANNEL.recv());
                    if let Poll::Ready(Ok(value)) =
                        recv.as_mut().poll(&mut Context::from_waker(Waker::noop()))
                    {
                        got.push(value);
                    }
                    continue;
                }
                match wait(CHANNEL.recv()) {
                    Ok(value) => got.push(value),
                    Err(error) => {
                        assert_eq!(error, RecvError::Closed);
                        return got;
                    }
                }
            }
        })
    });
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    CHANNEL.close();
    let mut all = Vec::new();
    for receiver in receivers {
        let got = receiver.join().unwrap();
        for sender in 0..3 {
            assert!(got.iter().filter(|value| **value % 3 == sender).is_sorted());
        }
        all.extend(got);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..EACH * 3));
}
