//! The runtime inside a plain loop over poll(2), which serves a socket of its own in the same thread: the way into
//! a program that has an event loop already. See docs/embedding.md.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener as ClassicListener, TcpStream as ClassicStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;
use unboxed::Bytes;
use unboxed::exec::Budget;
use unboxed::net::{TcpListener, TcpStream};
use unboxed::rt::{Config, Pollable, Rest, RuntimeCell};
use unboxed_examples::Args;

const USAGE: &str = "\
An echo service of ours beside a classic socket, both in one loop over poll(2).

usage: inside_poll [--rounds N]

  --rounds N   how often a client asks each of the two (default 20)
  --help       prints this";

static RUNTIME: RuntimeCell<16> = RuntimeCell::new();

/// One connection of ours.
#[unboxed::task(pool = 4, ops = 2, bytes = 1024)]
async fn echo(mut stream: TcpStream, mut bytes: Bytes<'_>) {
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&mut bytes).first(count).await.is_err() {
            break;
        }
    }
}

#[unboxed::task]
async fn serve(mut listener: TcpListener) {
    loop {
        let block = echo::reserve().await;
        let Ok(stream) = listener.accept().await else { break };
        block.spawn((stream,)).expect("inside the runtime").detach();
    }
}

/// The classic half: answers each question with the number of turns so far.
struct Classic {
    listener: ClassicListener,
    client: Option<ClassicStream>,
    answered: u32,
    gone: bool,
}

impl Classic {
    fn entry(&self) -> libc::pollfd {
        let fd = self.client.as_ref().map_or(self.listener.as_raw_fd(), AsRawFd::as_raw_fd);
        libc::pollfd { fd, events: libc::POLLIN, revents: 0 }
    }

    fn is_ready(&mut self, turns: u32) {
        let Some(client) = &mut self.client else {
            if let Ok((client, _)) = self.listener.accept() {
                client.set_nonblocking(true).expect("a socket");
                self.client = Some(client);
            }
            return;
        };
        match client.read(&mut [0; 16]) {
            Ok(1..) => {
                self.answered += 1;
                let _ = writeln!(client, "{turns}");
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => self.gone = true,
        }
    }
}

/// The loop: turn, ask how long to sleep, poll everything at once.
fn run(runtime: &mut Pollable, classic: &mut Classic) -> (u32, u32) {
    let (mut turns, mut sleeps) = (0, 0);
    while !classic.gone {
        turns += 1;
        let turned = runtime.turn(Budget::POLL);
        let rest = if turned.more { Rest::No } else { runtime.prepare_to_sleep() };
        sleeps += u32::from(rest != Rest::No);
        let runtime = libc::pollfd { fd: runtime.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let mut entries = [runtime, classic.entry()];
        // SAFETY: two live entries. It may be interrupted: then both say that nothing is ready.
        unsafe { libc::poll(entries.as_mut_ptr(), 2, rest.timeout_ms()) };
        if entries[1].revents != 0 {
            classic.is_ready(turns);
        }
    }
    (turns, sleeps)
}

/// Asks both in turn, with a pause now and then in which the loop sleeps.
fn ask(rounds: u32, ours: SocketAddr, classic: SocketAddr) -> std::io::Result<u32> {
    let mut ours = ClassicStream::connect(ours)?;
    let mut classic = ClassicStream::connect(classic)?;
    let mut echoed = 0;
    for round in 0..rounds {
        if round % 5 == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        let mut back = [0; 5];
        ours.write_all(b"hello")?;
        ours.read_exact(&mut back)?;
        echoed += u32::from(&back == b"hello");
        classic.write_all(b"?")?;
        let _ = classic.read(&mut [0; 16])?;
    }
    Ok(echoed)
}

fn main() {
    let mut args = Args::parse(USAGE);
    let rounds = args.value("--rounds", 20);
    args.finish();

    let mut runtime = RUNTIME.start_pollable(Config::new()).unwrap_or_else(|error| {
        eprintln!("no runtime: {error}");
        std::process::exit(1);
    });
    let listener = ClassicListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let classic_address = listener.local_addr().expect("an address");
    let ours_address = runtime.enter(|| {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let address = listener.local_addr().expect("an address");
        serve::spawn(listener).expect("a block").detach();
        address
    });
    let client = thread::spawn(move || ask(rounds, ours_address, classic_address));

    let mut classic = Classic { listener, client: None, answered: 0, gone: false };
    let (turns, sleeps) = run(&mut runtime, &mut classic);
    let echoed = client.join().expect("no panic").expect("answers");
    println!("{echoed} echoes by tasks, {} answers by the loop itself", classic.answered);
    println!("{turns} turns, {sleeps} of them before a sleep");
    runtime.into_inner().close(Duration::from_secs(1));
}
