//! That a snapshot's two texts say the same, and allocate nothing: that count is the process's, so there is one test.

use std::fmt::Write;
use unboxed::alloc::Counting;
use unboxed::observe::{Histogram, Snapshot};
use unboxed_tests::{body, drain, lab};

#[global_allocator]
static HEAP: Counting = Counting::new();

/// A fixed place for text.
struct Fixed {
    bytes: [u8; 8192],
    len: usize,
}

impl Fixed {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap()
    }
}

impl Write for Fixed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

#[test]
fn both_texts_say_the_same_and_allocate_nothing() {
    lab!(ex, script, run, pool = 1, ops = 1);
    ex.enter(|| run::spawn(body(async { 1 })).unwrap().detach());
    drain(&mut ex, script);
    let (mut text, mut json) = (Fixed { bytes: [0; 8192], len: 0 }, Fixed { bytes: [0; 8192], len: 0 });
    let mut histogram = Histogram::new();
    let before = HEAP.allocations();
    let mut seen = Snapshot::new();
    assert!(ex.remote().snapshot(0, &mut seen));
    histogram.record(5);
    seen.poll_ns = histogram;
    write!(text, "{}", seen.text()).unwrap();
    write!(json, "{}", seen.json()).unwrap();
    assert_eq!(HEAP.allocations() - before, 0);

    let parsed: serde_json::Value = serde_json::from_str(json.text()).unwrap();
    let mut lines = 0;
    for line in text.text().lines() {
        let (name, value) = line.split_once(' ').unwrap();
        let path = format!("/{}", name.replace('.', "/"));
        assert_eq!(parsed.pointer(&path).and_then(serde_json::Value::as_u64), value.parse().ok(), "{line}");
        lines += 1;
    }
    let leaves = parsed.as_object().unwrap().values().map(|v| v.as_object().map_or(1, |o| o.len()));
    assert_eq!(leaves.sum::<usize>(), lines);
    assert_eq!((parsed["polls"].as_u64(), parsed["poll_ns"]["p99"].as_u64()), (Some(1), Some(5)));
}
