//! The counting allocator: what it counts, and that a forbidden allocation ends the process with a message.

use std::hint::black_box;
use std::process::Command;
use unboxed::alloc::Counting;

#[global_allocator]
static HEAP: Counting = Counting::new();

const CHILD: &str = "UNBOXED_TEST_ALLOCATES";

#[test]
fn a_forbidden_allocation_ends_the_process_and_says_how_large_it_was() {
    if std::env::var_os(CHILD).is_some() {
        HEAP.forbid(true);
        drop(black_box(vec![0u8; 12_345]));
        unreachable!("it was allowed");
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child
        .args(["--exact", "a_forbidden_allocation_ends_the_process_and_says_how_large_it_was"])
        .args(["--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("unboxed: 12345 bytes were allocated where that was forbidden"), "{said}");
}

#[test]
fn allocations_are_counted() {
    let before = HEAP.allocations();
    let mut grown = black_box(Vec::<u8>::with_capacity(1));
    grown.extend([1; 100]);
    assert!(HEAP.allocations() - before >= 2, "one, and its growth");
}
