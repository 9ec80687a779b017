//! Our runtime as one future among tokio's, on one thread: an echo service of ours that a client of tokio's asks, and
//! a task of ours that awaits what tokio's timer completes. See docs/embedding.md.

mod drive;

use drive::drive;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::{LocalSet, spawn_local};
use unboxed::Bytes;
use unboxed::net::{TcpListener, TcpStream};
use unboxed::op::Completions;
use unboxed::rt::{Config, RuntimeCell};

static RUNTIME: RuntimeCell<16> = RuntimeCell::new();

/// What tokio completes.
static TICKS: Completions<u32, 4> = Completions::new();

#[unboxed::task(pool = 2, ops = 2, bytes = 256)]
async fn echo(mut listener: TcpListener, mut bytes: Bytes<'_>) -> u32 {
    let mut stream: TcpStream = listener.accept().await.expect("a connection");
    let mut rounds = 0;
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        stream.write_all(&mut bytes).first(count).await.expect("written");
        rounds += 1;
    }
    rounds
}

/// Awaits one completion of tokio's after the other, and sleeps by a timer of our own in between.
#[unboxed::task(pool = 1)]
async fn waits_for_tokio(
    requests: tokio::sync::mpsc::UnboundedSender<unboxed::op::Completer<'static, u32>>,
) -> u32 {
    let mut sum = 0;
    for _ in 0..10 {
        let (completer, completion) = TICKS.completion().expect("a free place");
        requests.send(completer).expect("tokio listens");
        sum += completion.await.expect("a tick");
        unboxed::time::sleep(Duration::from_millis(1)).await.expect("a timer");
    }
    sum
}

/// tokio's half: a client, and the ticks.
async fn ask(address: SocketAddr) -> u32 {
    let mut echoed = 0;
    let stream = tokio::net::TcpStream::connect(address).await.expect("connected");
    for round in 0..50u8 {
        if round % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        stream.writable().await.expect("a socket");
        stream.try_write(&[round; 8]).expect("room");
        let mut back = [0; 8];
        loop {
            stream.readable().await.expect("a socket");
            match stream.try_read(&mut back) {
                Ok(len) => break echoed += u32::from(back[..len] == [round; 8][..len]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    echoed
}

fn main() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio");
    LocalSet::new().block_on(&tokio, async {
        let mut runtime = match RUNTIME.start_pollable(Config::new()) {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("no runtime: {error}");
                std::process::exit(1);
            }
        };
        let (requests, mut asked) =
            tokio::sync::mpsc::unbounded_channel::<unboxed::op::Completer<'static, u32>>();
        let (echoes, ticks, address) = runtime.enter(|| {
            let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
            let address = listener.local_addr().expect("an address");
            let ticks = waits_for_tokio::spawn(requests).expect("a block");
            (echo::spawn(listener).expect("a block"), ticks, address)
        });
        let client = spawn_local(ask(address));
        spawn_local(async move {
            while let Some(completer) = asked.recv().await {
                tokio::time::sleep(Duration::from_millis(2)).await;
                let _ = completer.fire(1);
            }
        });
        let done = || echoes.is_finished() && ticks.is_finished();
        let (mut runtime, driven) = drive(runtime, done).await.expect("a descriptor");
        let echoed = client.await.expect("no panic");
        let (rounds, sum) = runtime.block_on(async { (echoes.await, ticks.await) });
        println!("{echoed} echoes seen by tokio, {} made by ours", rounds.expect("no panic"));
        println!("{} completions by tokio's timer", sum.expect("no panic"));
        println!("{} turns, {} rests", driven.turns, driven.rests);
        assert!(driven.turns < 1000, "a busy loop");
        assert!(driven.rests > 10, "it never rested");
    });
}
