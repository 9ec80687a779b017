//! A task's arguments live as long as it does, whether its body uses them or not, and go in the order in which those of
//! an async function go: with bytes of its own it is built otherwise (`core/macros/src/task_fn.rs`). Only what a pattern
//! has taken out of one goes before the rest.

use std::sync::Mutex;
use unboxed::task::Bytes;
use unboxed::yield_now;
use unboxed_tests::{lab, settle};

static GONE: Mutex<Vec<&str>> = Mutex::new(Vec::new());

struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        GONE.lock().unwrap().push(self.0);
    }
}

fn gone() -> Vec<&'static str> {
    std::mem::take(&mut *GONE.lock().unwrap())
}

fn arguments() -> (Says, Says, (Says, Says), Says, Says) {
    let [used, unused, left, right, nameless, last] =
        ["used", "unused", "left", "right", "nameless", "last"].map(Says);
    (used, unused, (left, right), nameless, last)
}

#[expect(clippy::used_underscore_binding, reason = "one that is used, beside those that are not")]
async fn plain(
    _used: Says,
    _unused: Says,
    (_left, _): (Says, Says),
    _: Says,
    mut last: Says,
    _bytes: (),
) -> usize {
    yield_now().await;
    last.0 = "last, changed";
    _used.0.len() + last.0.len()
}

#[unboxed::task(pool = 1, ops = 0, bytes = 16)]
#[expect(clippy::used_underscore_binding, reason = "as above")]
async fn with_bytes(
    _used: Says,
    _unused: Says,
    (_left, _): (Says, Says),
    _: Says,
    mut last: Says,
    _bytes: Bytes<'_>,
) -> usize {
    yield_now().await;
    last.0 = "last, changed";
    _used.0.len() + last.0.len()
}

#[unboxed::task(pool = 1, ops = 0)]
async fn without_bytes() -> usize {
    let (used, unused, pair, nameless, last) = arguments();
    plain(used, unused, pair, nameless, last, ()).await
}

#[test]
fn arguments_go_with_the_task_and_in_order() {
    lab!(ex, script, unrelated, pool = 1, ops = 1);
    let (used, unused, pair, nameless, last) = arguments();
    let task = ex.enter(|| with_bytes::spawn(used, unused, pair, nameless, last)).unwrap();
    assert_eq!(gone(), [""; 0], "none goes before the task begins");
    ex.turn(unboxed::exec::Budget { polls: 1, ..unboxed::exec::Budget::POLL });
    assert_eq!(gone(), [""; 0], "none goes while it waits");
    settle(&mut ex);
    let with = gone();
    assert_eq!(ex.block_on(async { task.await.unwrap() }), 17);

    let task = ex.enter(without_bytes::spawn).unwrap();
    settle(&mut ex);
    assert_eq!(ex.block_on(async { task.await.unwrap() }), 17);
    let (first, rest) = with.split_first().unwrap();
    assert_eq!(*first, "left");
    let without: Vec<_> = gone().into_iter().filter(|name| *name != "left").collect();
    assert_eq!(rest, without);
    let _ = script;
}

/// What an async function takes, and does with its last expression.
mod taken {
    use std::fmt::Display;
    use unboxed::task::Bytes;

    #[unboxed::task(pool = 1, ops = 0, bytes = 16)]
    pub async fn coerced(_bytes: Bytes<'_>) -> Box<dyn Display + Send> {
        Box::new(1)
    }

    #[unboxed::task(pool = 1, ops = 0, bytes = 16)]
    pub async fn sized(_bytes: Bytes<'_>) -> &'static [u8] {
        b"abc"
    }

    #[unboxed::task(pool = 1, ops = 0, bytes = 16)]
    pub async fn tried(_bytes: Bytes<'_>) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
        Err("no")?;
        Err(Box::new(std::fmt::Error))
    }

    #[unboxed::task(pool = 1, ops = 0, bytes = 16)]
    pub async fn borrowed(text: &'static String, _bytes: Bytes<'_>) -> &'static str {
        text
    }

    #[unboxed::task(pool = 1, ops = 0, bytes = 16)]
    pub async fn with_attribute(#[allow(unused_variables)] number: u32, _bytes: Bytes<'_>) {}

    #[unboxed::task(pool = 1, ops = 0, bytes = 16)]
    pub async fn by_reference(ref mut number: u32, r#type: u32, _bytes: Bytes<'_>) -> u32 {
        *number += r#type;
        *number
    }
}

#[test]
fn a_task_with_bytes_takes_what_an_async_function_takes() {
    lab!(ex, script, unrelated, pool = 1, ops = 1);
    let _ = script;
    ex.block_on(async {
        assert_eq!(taken::coerced::spawn().unwrap().await.unwrap().to_string(), "1");
        assert_eq!(taken::sized::spawn().unwrap().await, Ok(&b"abc"[..]));
        assert_eq!(taken::tried::spawn().unwrap().await.unwrap().unwrap_err().to_string(), "no");
        let text = Box::leak(Box::new("text".to_owned()));
        assert_eq!(taken::borrowed::spawn(text).unwrap().await, Ok("text"));
        assert_eq!(taken::with_attribute::spawn(1).unwrap().await, Ok(()));
    });
    // The first argument has no name, so this is what `spawn` calls it.
    let by_reference = ex.enter(|| taken::by_reference::spawn(1, 2)).unwrap();
    assert_eq!(ex.block_on(by_reference), Ok(3));
}

#[test]
fn a_task_that_never_began_drops_its_arguments() {
    lab!(ex, script, unrelated, pool = 1, ops = 1);
    let _ = script;
    // A pool of its own, so that both tests may run at once.
    #[unboxed::task(pool = 1, ops = 0, bytes = 16)]
    async fn aborted(_unused: std::sync::Arc<()>, _bytes: Bytes<'_>) {
        yield_now().await;
    }
    let kept = std::sync::Arc::new(());
    let task = ex.enter(|| aborted::spawn(kept.clone())).unwrap();
    assert_eq!(std::sync::Arc::strong_count(&kept), 2);
    task.abort();
    settle(&mut ex);
    assert_eq!(std::sync::Arc::strong_count(&kept), 1);
    assert!(ex.block_on(task).is_err());
}
