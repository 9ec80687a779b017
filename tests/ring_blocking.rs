//! Operations that the kernel does on a thread of its own and cannot always interrupt: dropped, they hold up
//! nobody, and give everything back when they end.

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use unboxed::buf::BufPool;
use unboxed::event_loop::Descriptor;
use unboxed::file::{FileHandle, TableControl};
use unboxed::io::{TransferKind, file_op, transfer};
use unboxed::op::nop;
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed_tests::ready_at_once;

/// A runtime of the test's own, or an early return where there is no ring.
macro_rules! runtime {
    () => {{
        static CELL: RuntimeCell<8> = RuntimeCell::new();
        match CELL.start(Config::new()) {
            Ok(runtime) => runtime,
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        }
    }};
}

/// A path of the test's own on a disk; removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The file with an entry of the table.
fn enter(table: &'static TableControl, file: File) -> FileHandle {
    // SAFETY: R4: the number is given up by its only owner.
    unsafe { table.reserve().unwrap().open(file.into_raw_fd()) }
}

/// Turns until nothing is in flight; how long it took.
fn finish(runtime: &mut Runtime) -> Duration {
    let start = Instant::now();
    while runtime.in_flight() > 0 {
        runtime.block_on(async { unboxed::time::sleep(Duration::from_millis(1)).await.unwrap() });
        assert!(start.elapsed() < Duration::from_secs(60), "an operation does not come back");
    }
    start.elapsed()
}

/// Begins a sync and drops it when it has had so many turns to begin. Some turns on, the kernel is at work.
#[unboxed::task(pool = 1, ops = 1)]
async fn begins_a_sync(file: FileHandle, head_start: Duration) -> bool {
    // SAFETY: the descriptor names the given file and no memory.
    let mut sync = Box::pin(unsafe { file_op(&file, |file| Descriptor::Fsync { file }) });
    let start = Instant::now();
    let mut ended = ready_at_once(sync.as_mut()).await;
    while !ended && start.elapsed() < head_start {
        unboxed::yield_now().await;
        ended = ready_at_once(sync.as_mut()).await;
    }
    ended
}

#[test]
fn a_dropped_sync_holds_up_nobody_and_gives_back_its_block() {
    let mut runtime = runtime!();
    let megabyte = vec![1u8; 1 << 20];
    // Dropped before the kernel has looked at it, and in the middle, with more dirty data each time until the
    // sync is seen to outlast what is done meanwhile.
    for (megabytes, head_start) in [(8, 0), (32, 1), (128, 2), (512, 4)] {
        let scratch = Scratch::new(&format!("sync-{megabytes}"));
        let mut file = File::create(&scratch.0).unwrap();
        for _ in 0..megabytes {
            file.write_all(&megabyte).unwrap();
        }
        // Held here too, since the last close of a file may flush it as well.
        let handle = enter(runtime.files(), file.try_clone().unwrap());
        let (ended, outlasted, meanwhile) = runtime.block_on(async {
            let ended = begins_a_sync::spawn(handle, Duration::from_millis(head_start)).unwrap().await;
            let start = Instant::now();
            for _ in 0..20 {
                nop().await.unwrap();
            }
            (ended.unwrap(), begins_a_sync::memory().used == 1, start.elapsed())
        });
        if outlasted {
            // The task has ended; its block, slot and file wait for the kernel.
            assert!(!ended && runtime.in_flight() > 0);
            assert_eq!(runtime.files().memory().used, 1);
        }
        let rest = finish(&mut runtime);
        println!("{megabytes} MB: 20 operations took {meanwhile:?}, the sync ended {rest:?} later");
        assert_eq!((begins_a_sync::memory().used, runtime.files().memory().used), (0, 0));
        if outlasted && rest > Duration::from_millis(20) {
            assert!(meanwhile < rest, "the worker waited");
            return;
        }
    }
    println!("no sync took long on this disk");
}

#[unboxed::task(pool = 2, ops = 1, bytes = 64)]
async fn begins_reads(file: FileHandle, mut bytes: unboxed::Bytes<'_>) -> u8 {
    static POOL: BufPool<1, 64> = BufPool::new();
    let from = TransferKind::ReadAt(u64::MAX);
    let mut read = Box::pin(transfer(&file, from, POOL.lease().unwrap()));
    assert!(!ready_at_once(read.as_mut()).await);
    unboxed::yield_now().await;
    drop(read);
    // The next read waits until the dropped one has let go, and then for bytes of its own.
    let mut read = Box::pin(transfer(&file, from, &mut bytes));
    while POOL.memory().used > 0 {
        assert!(!ready_at_once(read.as_mut()).await);
        unboxed::yield_now().await;
    }
    assert!(!ready_at_once(read.as_mut()).await);
    std::mem::forget(read);
    7
}

#[test]
fn a_dropped_read_of_a_pipe_that_blocks_comes_back() {
    let mut runtime = runtime!();
    let scratch = Scratch::new("fifo");
    let path = CString::new(scratch.0.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path is a live string.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    // Without O_NONBLOCK, and never at its end, since it writes as well.
    let pipe = File::options().read(true).write(true).open(&scratch.0).unwrap();
    let mut writer = pipe.try_clone().unwrap();
    let handle = enter(runtime.files(), pipe);
    let other = handle.clone();
    runtime.block_on(async {
        let start = Instant::now();
        assert_eq!(begins_reads::spawn(handle).unwrap().await, Ok(7));
        nop().await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(5));
    });
    finish(&mut runtime);
    assert_eq!((begins_reads::memory().used, runtime.files().memory().used), (0, 1));
    runtime.block_on(async {
        writer.write_all(b"after").unwrap();
        let (count, buffer) = transfer(&other, TransferKind::ReadAt(u64::MAX), vec![0; 8]).await;
        assert_eq!((count, &buffer.unwrap()[..5]), (Ok(5), &b"after"[..]));
        drop(other);
        nop().await.unwrap();
    });
    assert_eq!((runtime.in_flight(), runtime.files().memory().used), (0, 0));
}
