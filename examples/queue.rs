//! The note's queue of one: a task that pushes 1, 2, 3 over and over, one that reads, and every poll of both.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use unboxed::channel::Channel;
use unboxed_examples::Args;

const USAGE: &str = "\
Two tasks on a queue of one value; prints the states that they pass.

usage: queue [--rounds N]

  --rounds N   how often 1, 2, 3 are pushed (default 2)
  --help       prints this";

/// A queue of size 1, shared by both tasks.
static QUEUE: Channel<u32, 1> = Channel::new();

/// Awaits `step`, and tells of each poll in which state it found the task, and in which it left it.
async fn tell<F: Future>(task: u32, state: &str, what: &str, next: &str, step: F) -> F::Output {
    let mut step = pin!(step);
    poll_fn(|cx| {
        let polled = step.as_mut().poll(cx);
        match &polled {
            Poll::Pending => println!("task {task}  {state}  poll {what:7} pending, stays in {state}"),
            Poll::Ready(_) => println!("task {task}  {state}  poll {what:7} ready, then {next}"),
        }
        polled
    })
    .await
}

/// Three states, one for each push.
#[unboxed::task(ops = 0)]
async fn task_1(rounds: u32) {
    for _ in 0..rounds {
        tell(1, "s0", "push 1", "s1", QUEUE.send(1)).await.expect("open");
        tell(1, "s1", "push 2", "s2", QUEUE.send(2)).await.expect("open");
        tell(1, "s2", "push 3", "s0", QUEUE.send(3)).await.expect("open");
    }
    QUEUE.close();
}

/// One state. The note's task reads for ever; this one until the queue is closed, and says how much it got.
#[unboxed::task(ops = 0)]
async fn task_2() -> (u32, u32) {
    let (mut count, mut sum) = (0, 0);
    while let Ok(value) = tell(2, "s0", "read", "s0", QUEUE.recv()).await {
        println!("task 2      {value}");
        count += 1;
        sum += value;
    }
    println!("task 2      closed");
    (count, sum)
}

#[unboxed::main]
async fn main() {
    let mut args = Args::parse(USAGE);
    let rounds = args.value("--rounds", 2);
    args.finish();

    let pusher = task_1::spawn(rounds).expect("a block");
    let reader = task_2::spawn().expect("a block");
    pusher.await.expect("no panic");
    let (count, sum) = reader.await.expect("no panic");
    println!("{count} values, their sum {sum}");
    println!("queue       {} bytes", size_of_val(&QUEUE));
    println!("task 1      a block of {} bytes", task_1::memory().block_bytes);
    println!("task 2      a block of {} bytes", task_2::memory().block_bytes);
}
