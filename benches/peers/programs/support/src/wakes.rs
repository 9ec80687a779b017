//! A wake across threads: a plain thread wakes a task, which unparks the thread, and so on.

use atomic_waker::AtomicWaker;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Release};
use std::task::Poll;
use std::thread::{self, JoinHandle, Thread};

/// Told from any thread; one task waits. It calls the waker that the runtime gave, and nothing else.
#[derive(Debug, Default)]
pub struct Signal {
    told: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    pub fn tell(&self) {
        self.told.store(true, Release);
        self.waker.wake();
    }

    pub async fn told(&self) {
        poll_fn(|cx| {
            if self.told.swap(false, AcqRel) {
                return Poll::Ready(());
            }
            self.waker.register(cx.waker());
            if self.told.swap(false, AcqRel) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// The plain thread, on the last processor; this thread goes to the first.
#[derive(Debug)]
pub struct Partner {
    shared: Arc<(Signal, AtomicBool)>,
    thread: JoinHandle<()>,
}

impl Partner {
    /// Tells the task `times` times, each time when it was answered.
    pub fn start(times: u64) -> Self {
        let shared = Arc::new((Signal::default(), AtomicBool::new(false)));
        let theirs = shared.clone();
        let last = last_processor();
        let thread = thread::spawn(move || {
            bind(last);
            for _ in 0..times {
                theirs.0.tell();
                while !theirs.1.swap(false, AcqRel) {
                    thread::park();
                }
            }
        });
        bind(0);
        Self { shared, thread }
    }

    /// Waits to be told, and answers.
    pub async fn answer(&self, times: u64) {
        for _ in 0..times {
            self.told().await;
            self.reply();
        }
    }

    pub async fn told(&self) {
        self.shared.0.told().await;
    }

    pub fn reply(&self) {
        let thread: &Thread = self.thread.thread();
        self.shared.1.store(true, Release);
        thread.unpark();
    }
}

/// Of the machine: `available_parallelism` knows only those that this thread is bound to, and a round before has bound it.
fn last_processor() -> usize {
    // SAFETY: no memory is named.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(online - 1).unwrap_or(0)
}

fn bind(processor: usize) {
    // SAFETY: zeroed is an empty set, which outlives the call.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}
