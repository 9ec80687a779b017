//! The note's own case: a task reads 1024 bytes, and the kernel is given an address inside its block.

use std::sync::atomic::{AtomicUsize, Ordering};
use unboxed::event_loop::Descriptor;
use unboxed::event_loop::scripted::ScriptedLoop;
use unboxed::exec::{Executor, WorkerStorage};
use unboxed::file::{FileHandle, FileTable};
use unboxed::io::{TransferKind, transfer};
use unboxed::task::{Bytes, block_overhead};

static LOOP: ScriptedLoop<8> = ScriptedLoop::new();
static WORKER: WorkerStorage = WorkerStorage::new();
static FILES: FileTable<2> = FileTable::new();
static BYTES_AT: AtomicUsize = AtomicUsize::new(0);

#[unboxed::task(pool = 1, ops = 1, bytes = 1024)]
async fn read_1024(file: FileHandle, mut v: Bytes<'_>) -> [u8; 4] {
    BYTES_AT.store(v.as_ptr().addr(), Ordering::Relaxed);
    let count = transfer(&file, TransferKind::Recv, &mut v).await.unwrap();
    assert_eq!(count, 4);
    [v[0], v[1], v[2], v[3]]
}

#[test]
fn the_kernel_writes_into_the_block() {
    let mut executor = Executor::start(&WORKER, &LOOP, 4).unwrap();
    // SAFETY: R4: the scripted loop has no system behind it, and the table closes nothing.
    let file = unsafe { FILES.control().reserve().unwrap().open(3) };
    let handle = executor.enter(|| read_1024::spawn(file)).unwrap();
    executor.turn(unboxed::exec::Budget::POLL);

    let pending = LOOP.pending(0).expect("the read was submitted");
    let Descriptor::Recv { data, len, .. } = pending.op else { panic!("not a receive") };
    assert_eq!(len, 1024);
    assert_eq!(data.addr(), BYTES_AT.load(Ordering::Relaxed));

    // The bytes lie right behind header, bookkeeping and one slot; the future follows them.
    let memory = read_1024::memory();
    let before = block_overhead(1);
    assert_eq!(before, 64 + 128);
    let block = data.addr() - before;
    assert_eq!(block % 64, 0);
    assert!(memory.block_bytes >= before + 1024);
    assert!(memory.block_bytes <= before + 1024 + 512, "the future is small");

    LOOP.complete_read(pending.token, b"abcd");
    let output = executor.block_on(async { handle.await.unwrap() });
    assert_eq!(&output, b"abcd");
    assert_eq!(executor.in_flight(), 0);
    assert_eq!(read_1024::memory().used, 0);
}
