//! The same work on unboxed and on other crates, in interleaved rounds: A B C A B C ... Run the benches from this
//! folder: `cargo bench --bench sync`, `--bench spawn` or `--bench scheduler`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use unboxed::rt::Runtime;
use unboxed_benches::cpu_time;

const ROUNDS: usize = 21;
/// Of work that nobody waits for, in one round.
const ITEMS: u32 = 200_000;
/// Of work between two tasks, in one round.
pub const TIMES: u32 = 50_000;

/// Nanoseconds of processor time, as wall time counts what others do on a busy machine. One thread does the work.
fn ns_per_item(items: u32, run: impl FnOnce()) -> f64 {
    let begin = cpu_time();
    run();
    (cpu_time() - begin).as_nanos() as f64 / f64::from(items)
}

/// What one of two tasks does, `TIMES` times.
pub type Work = Pin<Box<dyn Future<Output = ()>>>;
/// The same for a runtime whose tasks must be able to move.
pub type SendWork = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The two runtimes on which tasks run.
pub struct Runtimes<'a> {
    pub unboxed: &'a mut Runtime,
    pub tokio: tokio::runtime::Runtime,
}

type Measure = Box<dyn FnMut(&mut Runtimes<'_>) -> f64>;

/// One kind of work, and who does it.
pub struct Row {
    name: &'static str,
    all: Vec<(&'static str, Measure, Vec<f64>)>,
}

impl Row {
    pub fn new(name: &'static str) -> Self {
        Self { name, all: Vec::new() }
    }

    fn with(mut self, who: &'static str, measure: impl FnMut(&mut Runtimes<'_>) -> f64 + 'static) -> Self {
        self.all.push((who, Box::new(measure), Vec::new()));
        self
    }

    /// Work that nobody waits for; no runtime has a part in it.
    pub fn alone(self, who: &'static str, mut once: impl FnMut() + 'static) -> Self {
        self.with(who, move |_| ns_per_item(ITEMS, || (0..ITEMS).for_each(|_| once())))
    }

    /// Two tasks of our runtime, which is the same for all crates.
    pub fn two(self, who: &'static str, works: impl Fn() -> [Work; 2] + 'static) -> Self {
        self.with(who, move |runtimes| {
            let works = works();
            ns_per_item(TIMES, || on_unboxed(runtimes.unboxed, works))
        })
    }

    /// Two tasks of tokio's current-thread runtime.
    pub fn two_on_tokio(self, who: &'static str, works: impl Fn() -> [SendWork; 2] + 'static) -> Self {
        self.with(who, move |runtimes| {
            let works = works();
            ns_per_item(TIMES, || on_tokio(&runtimes.tokio, works))
        })
    }
}

#[unboxed::task(pool = 2, ops = 0, local)]
async fn run(work: Work) {
    work.await;
}

fn on_unboxed(runtime: &mut Runtime, works: [Work; 2]) {
    runtime.block_on(async {
        let tasks = works.map(|work| run::spawn(work).expect("a block"));
        for task in tasks {
            task.await.expect("no panic");
        }
    });
}

fn on_tokio(runtime: &tokio::runtime::Runtime, works: [SendWork; 2]) {
    runtime.block_on(async {
        let tasks = works.map(tokio::spawn);
        for task in tasks {
            task.await.expect("no panic");
        }
    });
}

/// The output of a future that is ready at its first poll.
#[inline(always)]
pub fn ready<F: Future>(future: Pin<&mut F>) -> F::Output {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nobody else has it"),
    }
}

/// For ever: what tasks share.
pub fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Measures all rows in interleaved rounds, and prints medians with their quartiles, the fastest first; with
/// `--markdown`, a table of the medians.
pub fn measure(runtimes: &mut Runtimes<'_>, mut rows: Vec<Row>) {
    for _ in 0..ROUNDS {
        for row in &mut rows {
            for (_, measure, figures) in &mut row.all {
                figures.push(measure(runtimes));
            }
        }
    }
    for row in &mut rows {
        row.all.iter_mut().for_each(|(.., figures)| figures.sort_by(f64::total_cmp));
        row.all.sort_by(|a, b| a.2[ROUNDS / 2].total_cmp(&b.2[ROUNDS / 2]));
    }
    if std::env::args().any(|argument| argument == "--markdown") {
        return print_markdown(&rows);
    }
    println!("ns of processor time, medians of {ROUNDS} interleaved rounds, and between what half of the rounds lay");
    for row in &rows {
        println!("\n{}", row.name);
        for (who, _, figures) in &row.all {
            let [low, middle, high] = [1, 2, 3].map(|quarter| figures[ROUNDS * quarter / 4]);
            println!("  {who:36} {middle:7.1}   {low:.1} to {high:.1}");
        }
    }
}

/// Ours first; the others from the fastest on.
fn print_markdown(rows: &[Row]) {
    println!("| ns of processor time | unboxed | the others |\n|---|---|---|");
    for row in rows {
        let figure = |(who, _, figures): &(&str, Measure, Vec<f64>)| format!("{who} {:.1}", figures[ROUNDS / 2]);
        let (ours, others): (Vec<_>, Vec<_>) = row.all.iter().partition(|(who, ..)| who.starts_with("unboxed"));
        let ours: Vec<_> = ours.iter().map(|(.., figures)| format!("{:.1}", figures[ROUNDS / 2])).collect();
        let others: Vec<_> = others.into_iter().map(figure).collect();
        println!("| {} | {} | {} |", row.name, ours.join(", "), others.join(", "));
    }
}
