//! The core without an operating system: tasks, timers, joins and reads on a hand-written event loop, in QEMU.
//!
//! | room | what lives there |
//! |---|---|
//! | `boot` | from the loader to `main` |
//! | `port`, `serial`, `mem` | the machine's devices, and what a C library would have |
//! | `interrupt` | the handlers, the critical section, and which worker runs here |
//! | `event_loop` | the `EventLoop`: what a port writes |
//!
//! `docs/porting.md` goes through it. In this folder:
//!
//! ```text
//! cargo build --release
//! echo 'a line' | qemu-system-x86_64 -display none -no-reboot -serial stdio \
//!     -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel target/release/bare
//! ```
//! QEMU ends with status 33 when all is well.
#![no_std]
#![no_main]

mod boot;
mod event_loop;
mod interrupt;
mod mem;
mod port;
mod serial;

use core::cell::RefCell;
use core::panic::PanicInfo;
use core::time::Duration;
use critical_section::Mutex;
use event_loop::{LOOP, alarm};
use unboxed_core::exec::{Executor, WorkerStorage};
use unboxed_core::file::{FileHandle, FileTable};
use unboxed_core::io::{TransferKind, transfer, write_all};
use unboxed_core::op::{Completer, Completions};
use unboxed_core::sync::Interrupts;
use unboxed_core::task::Bytes;
use unboxed_core::{memory, time};
use unboxed_macros::task;

/// What QEMU is told, which doubles it and adds one.
const ALL_WELL: u32 = 16;
pub const FAILED: u32 = 17;

static WORKER: WorkerStorage<4, 4> = WorkerStorage::new();
static FILES: FileTable<1> = FileTable::new();

/// Values that the timer's interrupt gives, and the handle by which it does.
static PRESSES: Completions<u64, 1, Interrupts> = Completions::with_domain();
static BUTTON: Mutex<RefCell<Option<Completer<'static, u64, Interrupts>>>> = Mutex::new(RefCell::new(None));

/// In the timer's interrupt: "presses a button" at each thirtieth tick.
fn on_tick(tick: u64) {
    if tick.is_multiple_of(30)
        && let Some(completer) = critical_section::with(|cs| BUTTON.borrow_ref_mut(cs).take())
    {
        // One that nobody waits for any more gives its value back.
        let _ = completer.fire(tick);
    }
}

/// Sleeps on the core's timer wheel; the tick ends the loop's wait.
#[task(pool = 3, ops = 1, crate = unboxed_core)]
async fn blink(lamp: u32, period_ms: u64) -> u32 {
    for _ in 0..4 {
        time::sleep(Duration::from_millis(period_ms)).await.expect("a slot for a timer");
    }
    say!("lamp {lamp} has blinked 4 times");
    4
}

/// Waits in op slots of its own block, which the timer's interrupt completes.
#[task(pool = 1, ops = 1, crate = unboxed_core)]
async fn sample() -> u32 {
    let mut last = 0;
    for _ in 0..5 {
        let tick = alarm(7).await.expect("a slot");
        assert!(tick >= last + 7, "an alarm is never early");
        last = tick;
    }
    say!("5 samples, each at least 7 ticks after the one before");
    5
}

/// Waits for values that the interrupt hands over by a completer.
#[task(pool = 1, ops = 0, crate = unboxed_core)]
async fn button() -> u32 {
    for press in 1..=2 {
        let (completer, completion) = PRESSES.completion().expect("a free place");
        critical_section::with(|cs| BUTTON.borrow_ref_mut(cs).replace(completer));
        let tick = completion.await.expect("the completer is fired, not dropped");
        assert!(tick.is_multiple_of(30));
        say!("press {press} came from the interrupt");
    }
    2
}

/// Answers a line. The interrupt has put its bytes where they are sent from: into this task's block.
#[task(pool = 1, ops = 1, bytes = 64, crate = unboxed_core)]
async fn console(file: FileHandle, mut bytes: Bytes<'_>) -> u32 {
    let count = transfer(&file, TransferKind::Recv, &mut bytes).await.expect("a line");
    let (block, at) = (console::memory().address, bytes.as_ptr().addr());
    say!("{count} bytes at offset {} of their task's block:", at - block);
    write_all(&file, TransferKind::Send, &mut bytes).first(count).await.expect("sent");
    count as u32
}

/// Ends while its operation is in flight: the slot pins its block until the loop has let go.
#[task(pool = 1, ops = 1, crate = unboxed_core)]
async fn waits_long() {
    let _ = alarm(1 << 40).await;
}

async fn all() -> u32 {
    // SAFETY: R4: the console's number is nobody else's.
    let file = unsafe { FILES.control().reserve().expect("an entry").open(serial::CONSOLE) };
    let lamps = [(1, 5), (2, 8), (3, 13)].map(|(lamp, period)| blink::spawn(lamp, period).expect("a block"));
    let (sample, button) = (sample::spawn().expect("a block"), button::spawn().expect("a block"));
    let console = console::spawn(file).expect("a block");
    let long = waits_long::spawn().expect("a block");
    let mut sum = 0;
    for lamp in lamps {
        sum += lamp.await.expect("it does not panic");
    }
    sum += sample.await.expect("it does not panic");
    sum += button.await.expect("it does not panic");
    say!("{} bytes were answered", console.await.expect("it does not panic"));
    long.abort();
    assert!(long.await.is_err(), "aborted");
    sum
}

/// Called by `boot`.
extern "C" fn main() -> ! {
    serial::init();
    interrupt::init();
    let mut executor = Executor::start(&WORKER, &LOOP, 1).expect("a storage that is used once");
    let sum = executor.block_on(all());
    let sleeps = executor.stats().sleeps.get();
    say!("sum {sum}, slept: {}", sleeps > 0);
    let report = executor.close(1_000_000_000);
    say!("aborted {}, detached {}", report.aborted, report.detached);
    say!("{}", memory::text());
    boot::exit(ALL_WELL)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say!("{info}");
    boot::exit(FAILED)
}
