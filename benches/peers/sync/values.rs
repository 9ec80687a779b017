//! Values there and back between two tasks.

use embassy_sync::blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex};
use std::convert::identity;
use unboxed::sync::Local;
use unboxed_peers::{Row, SendWork, TIMES, Work, leak};

pub fn rows() -> Vec<Row> {
    vec![local_channel(), channel(), watch()]
}

/// One sends and waits for the answer, the other answers. `$open` takes the value out of what is received.
macro_rules! echo {
    ($new:expr, $send:expr, $recv:expr, $open:expr) => {{
        let (there, back) = (leak($new), leak($new));
        move || {
            [
                Box::pin(async move {
                    for value in 0..TIMES {
                        let _ = $send(there, value).await;
                        assert_eq!($open($recv(back).await), value);
                    }
                }) as _,
                Box::pin(async move {
                    for _ in 0..TIMES {
                        let value = $open($recv(there).await);
                        let _ = $send(back, value).await;
                    }
                }) as _,
            ]
        }
    }};
}

/// The same for channels of two halves, of which new ones are made for each round.
macro_rules! echo_halves {
    ($work:ty, $channel:expr, $send:expr, $recv:expr, $open:expr) => {
        || {
            let ((there, mut there_end), (back, mut back_end)) = ($channel, $channel);
            let ask: $work = Box::pin(async move {
                for value in 0..TIMES {
                    let _ = $send(&there, value).await;
                    assert_eq!($open($recv(&mut back_end).await), value);
                }
            });
            let answer: $work = Box::pin(async move {
                for _ in 0..TIMES {
                    let value = $open($recv(&mut there_end).await);
                    let _ = $send(&back, value).await;
                }
            });
            [ask, answer]
        }
    };
}

fn local_channel() -> Row {
    type Ours = unboxed::channel::Channel<u32, 1, Local>;
    type Embassy = embassy_sync::channel::Channel<NoopRawMutex, u32, 1>;
    type Intrusive = futures_intrusive::channel::LocalChannel<u32, [u32; 1]>;
    use local_sync::mpsc::bounded::{Rx, Tx, channel};
    let intrusive = echo!(Intrusive::new(), Intrusive::send, Intrusive::receive, Option::unwrap);
    Row::new("channel of one place and one thread, a value there and one back")
        .two("unboxed, Local", echo!(Ours::with_domain(), Ours::send, Ours::recv, Result::unwrap))
        .two("embassy-sync, NoopRawMutex", echo!(Embassy::new(), Embassy::send, Embassy::receive, identity))
        .two("futures-intrusive, LocalChannel", intrusive)
        .two("local-sync", echo_halves!(Work, channel::<u32>(1), Tx::send, Rx::recv, Option::unwrap))
}

fn channel() -> Row {
    type Ours = unboxed::channel::Channel<u32, 1>;
    type Embassy = embassy_sync::channel::Channel<CriticalSectionRawMutex, u32, 1>;
    type Intrusive = futures_intrusive::channel::Channel<u32, [u32; 1]>;
    use tokio::sync::mpsc::{self, Receiver, Sender};
    let intrusive = echo!(Intrusive::new(), Intrusive::send, Intrusive::receive, Option::unwrap);
    let async_channel = echo_halves!(
        Work,
        async_channel::bounded::<u32>(1),
        async_channel::Sender::send,
        |receiver| async_channel::Receiver::recv(receiver),
        Result::unwrap
    );
    let tokio = echo_halves!(Work, mpsc::channel(1), Sender::send, Receiver::recv, Option::unwrap);
    let on_tokio = echo_halves!(SendWork, mpsc::channel(1), Sender::send, Receiver::recv, Option::unwrap);
    Row::new("channel of one place, a value there and one back")
        .two("unboxed", echo!(Ours::new(), Ours::send, Ours::recv, Result::unwrap))
        .two("tokio", tokio)
        .two_on_tokio("tokio on tokio", on_tokio)
        .two("async-channel", async_channel)
        .two(
            "embassy-sync, critical section",
            echo!(Embassy::new(), Embassy::send, Embassy::receive, identity),
        )
        .two("futures-intrusive", intrusive)
}

/// The same with watches, of which each task sends by one and sees the other.
macro_rules! watches {
    ($work:ty, $pairs:expr, $send:expr, $next:expr) => {{
        move || {
            let [(one_sends, mut one_sees), (two_sends, mut two_sees)] = $pairs;
            let one: $work = Box::pin(async move {
                for value in 0..TIMES {
                    $send(&one_sends, value);
                    assert_eq!($next(&mut two_sees).await, value);
                }
            });
            let two: $work = Box::pin(async move {
                for _ in 0..TIMES {
                    let value = $next(&mut one_sees).await;
                    $send(&two_sends, value);
                }
            });
            [one, two]
        }
    }};
}

fn watch() -> Row {
    type Ours = unboxed::channel::Watch<u32>;
    type Watcher = unboxed::channel::Watcher<'static, u32>;
    type Embassy = embassy_sync::watch::Watch<CriticalSectionRawMutex, u32, 2>;
    type EmbassySender = embassy_sync::watch::Sender<'static, CriticalSectionRawMutex, u32, 2>;
    type EmbassyReceiver = embassy_sync::watch::Receiver<'static, CriticalSectionRawMutex, u32, 2>;
    use tokio::sync::watch::{self, Receiver, Sender};

    let ours = leak([Ours::new(0), Ours::new(0)]);
    let our_pairs = || ours.each_ref().map(|watch| (watch, watch.watcher()));
    let our_send = |watch: &&Ours, value| watch.send(value).expect("open");
    let our_next = async |watcher: &mut Watcher| {
        watcher.changed().await.expect("open");
        watcher.read(|value| *value)
    };
    let tokio_pairs = || [watch::channel(0), watch::channel(0)];
    let tokio_send = |sender: &Sender<u32>, value| sender.send(value).expect("open");
    async fn tokio_next(receiver: &mut Receiver<u32>) -> u32 {
        receiver.changed().await.expect("open");
        *receiver.borrow_and_update()
    }
    let embassy = leak([Embassy::new(), Embassy::new()]);
    let embassy_pairs = || {
        embassy.each_ref().map(|watch| {
            watch.sender().clear();
            (watch.sender(), watch.receiver().expect("one of two"))
        })
    };
    let embassy_send = |sender: &EmbassySender, value| sender.send(value);
    let embassy_next = async |receiver: &mut EmbassyReceiver| receiver.changed().await;

    Row::new("watch, a value there and one back")
        .two("unboxed", watches!(Work, our_pairs(), our_send, our_next))
        .two("tokio", watches!(Work, tokio_pairs(), tokio_send, tokio_next))
        .two_on_tokio("tokio on tokio", watches!(SendWork, tokio_pairs(), tokio_send, tokio_next))
        .two("embassy-sync, critical section", watches!(Work, embassy_pairs(), embassy_send, embassy_next))
}
