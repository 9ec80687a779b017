//! Checks a file that `examples/trace` wrote, whose name is in `TRACE_FILE`: `.ci/examples` does both.

#[path = "support/trace_format.rs"]
mod trace_format;

#[test]
fn the_example_writes_a_trace() {
    let Some(path) = std::env::var_os("TRACE_FILE") else {
        return println!("skipped: TRACE_FILE names no file");
    };
    let events = trace_format::check(&std::fs::read_to_string(path).unwrap(), 2);
    let count = |ph: &str, name: &str| events.iter().filter(|e| e["ph"] == ph && e["name"] == name).count();
    assert!(count("X", "echo") > 10 && count("X", "client") > 10);
    for operation in ["recv", "send", "timer"] {
        assert!(count("b", operation) > 10, "{operation}");
    }
}
