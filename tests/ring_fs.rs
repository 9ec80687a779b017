//! Files on the real ring.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use unboxed::fs::File;
use unboxed::op::Error;
use unboxed::rt::{Config, Runtime, RuntimeCell};
use unboxed::task::Bytes;

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("unboxed-{name}-{}", std::process::id()))
}

/// A file of a test, which is gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(path(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn block_on(cell: &'static RuntimeCell<4>, future: impl Future<Output = ()>) {
    let mut runtime: Runtime = match cell.start(Config::new()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: {error}"),
    };
    runtime.block_on(future);
}

#[unboxed::task(ops = 4, bytes = 8)]
async fn in_place(file: File, mut bytes: Bytes<'_>) -> (usize, [u8; 4]) {
    let count = file.read_at(&mut bytes, 2).await.expect("a read");
    (count, bytes[..4].try_into().expect("four"))
}

#[test]
fn what_was_written_is_read_where_it_was_written() {
    static CELL: RuntimeCell<4> = RuntimeCell::new();
    let scratch = Scratch::new("written");
    block_on(&CELL, async {
        let file = File::create(&scratch.0).unwrap();
        assert_eq!(file.write_all_at(b"0123456789".to_vec(), 0).await.0, Ok(10));
        assert_eq!(file.write_all_at(b"ab".to_vec(), 4).await.0, Ok(2));
        assert_eq!(file.sync().await, Ok(0));
        assert_eq!(in_place::spawn(file.clone()).unwrap().await, Ok((8, *b"23ab")));
        let (count, rest) = file.read_at(Vec::with_capacity(8), 7).await;
        assert_eq!((count, rest.unwrap()), (Ok(3), b"789".to_vec()));
        assert_eq!(file.read_at(Vec::with_capacity(8), 10).await.0, Ok(0));
    });
    assert_eq!(std::fs::read(&scratch.0).unwrap_or(b"0123ab6789".to_vec()), b"0123ab6789");
}

#[test]
fn a_dropped_read_loses_nothing() {
    static CELL: RuntimeCell<4> = RuntimeCell::new();
    let scratch = Scratch::new("dropped");
    std::fs::write(&scratch.0, [7; 4096]).unwrap();
    block_on(&CELL, async {
        let file = File::open(&scratch.0).unwrap();
        for _ in 0..50 {
            let mut dropped = Box::pin(file.read_at(vec![0; 4096], 0));
            let polled = std::future::poll_fn(|cx| Poll::Ready(dropped.as_mut().poll(cx).is_ready())).await;
            drop(dropped);
            assert!(!polled, "it went to the ring");
            let (count, bytes) = file.read_at(vec![0; 16], 4080).await;
            assert_eq!((count, bytes.unwrap()), (Ok(16), vec![7; 16]));
        }
    });
}

#[test]
fn reads_at_many_places_at_once() {
    static CELL: RuntimeCell<4> = RuntimeCell::new();
    let scratch = Scratch::new("many");
    let all: Vec<u8> = (0..64 * 16).map(|at| (at / 16) as u8).collect();
    std::fs::write(&scratch.0, &all).unwrap();
    block_on(&CELL, async {
        let file = File::open(&scratch.0).unwrap();
        let (a, b) = unboxed::combine::join2(
            file.read_at(Vec::with_capacity(16), 16 * 40),
            file.read_at(Vec::with_capacity(16), 16 * 3),
        )
        .await;
        assert_eq!((a.1.unwrap(), b.1.unwrap()), (vec![40; 16], vec![3; 16]));
    });
}

#[test]
fn what_cannot_be_opened_says_why_and_takes_no_entry() {
    static CELL: RuntimeCell<4> = RuntimeCell::new();
    let scratch = Scratch::new("absent");
    let absent = path("never");
    assert!(matches!(File::open(&absent), Err(Error::NoTask)), "outside a runtime");
    block_on(&CELL, async {
        for _ in 0..10 {
            assert!(matches!(File::open(&absent), Err(Error::Os(libc::ENOENT))));
        }
        let files: Vec<_> = (0..4).map(|_| File::create(&scratch.0).unwrap()).collect();
        assert!(matches!(File::open(&scratch.0), Err(Error::TableFull { entries: 4 })));
        drop(files);
        File::open(&scratch.0).unwrap();
    });
}

#[test]
fn a_position_beyond_all_is_the_end() {
    static CELL: RuntimeCell<4> = RuntimeCell::new();
    let scratch = Scratch::new("beyond");
    std::fs::write(&scratch.0, b"text").unwrap();
    block_on(&CELL, async {
        let file = File::open(&scratch.0).unwrap();
        for _ in 0..2 {
            let (read, _) = file.read_at(vec![0; 1], u64::MAX).await;
            assert!(matches!(read, Ok(0) | Err(Error::Os(_))), "never the file's own position: {read:?}");
        }
    });
}

#[test]
fn polled_outside_a_task_it_is_refused() {
    static CELL: RuntimeCell<4> = RuntimeCell::new();
    let scratch = Scratch::new("outside");
    std::fs::write(&scratch.0, b"text").unwrap();
    let mut kept = None;
    block_on(&CELL, async { kept = Some(File::open(&scratch.0).unwrap()) });
    let Some(file) = kept else { return };
    let mut read = pin!(file.read_at(vec![0; 1], 0));
    let polled = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready((Err(Error::NoTask), _))));
}
