//! Checks a text against the trace-event format, and against what an operation's events must say.

use serde_json::Value;
use std::collections::HashMap;

/// What is wrong fails; else the events. `rows` is how many threads must be named.
pub fn check(text: &str, rows: usize) -> Vec<Value> {
    let trace: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let events = trace["traceEvents"].as_array().expect("an array of events").clone();
    let mut named = 0;
    let mut open: HashMap<String, Vec<&Value>> = HashMap::new();
    for event in &events {
        let text = |key: &str| event[key].as_str().unwrap_or_else(|| panic!("no {key}: {event}"));
        assert!(event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
        assert!(!text("name").is_empty() || text("ph") == "X", "{event}");
        let time = || event["ts"].as_f64().filter(|ts| *ts >= 0.0).unwrap_or_else(|| panic!("{event}"));
        match text("ph") {
            "M" => {
                assert!(["process_name", "thread_name"].contains(&text("name")), "{event}");
                assert!(event["args"]["name"].is_string(), "{event}");
                named += usize::from(text("name") == "thread_name");
            }
            "X" => {
                time();
                assert!(event["dur"].as_f64().is_some_and(|dur| dur >= 0.0), "{event}");
            }
            "i" => {
                time();
                assert_eq!(text("s"), "t");
            }
            phase @ ("b" | "n" | "e") => {
                time();
                assert_eq!(text("cat"), "op");
                let of = open.entry(text("id").to_owned()).or_default();
                assert_eq!(of.is_empty(), phase == "b", "{event}");
                of.push(event);
                if phase == "e" {
                    operation(&open.remove(text("id")).unwrap());
                }
            }
            other => panic!("phase {other:?}: {event}"),
        }
    }
    assert_eq!(named, rows);
    assert!(open.is_empty(), "without an end: {open:?}");
    events
}

/// Queued, submitted, completed, polled: in this order, and none twice.
fn operation(events: &[&Value]) {
    let at = |name: &str| {
        let mut found = events.iter().filter(|event| event["ph"] == "n" && event["name"] == name);
        let at = found.next().map(|event| event["ts"].as_f64().unwrap());
        assert!(found.next().is_none(), "twice: {events:?}");
        at
    };
    let (begin, end) = (events[0], events[events.len() - 1]);
    assert_eq!(begin["name"], end["name"]);
    let (first, last) = (begin["ts"].as_f64(), end["ts"].as_f64());
    let order: Vec<f64> = [first, at("submitted"), at("completed"), last].into_iter().flatten().collect();
    assert!(order.is_sorted(), "{order:?}: {events:?}");
    match end["args"]["end"].as_str().unwrap() {
        "taken" | "not taken" => assert!(at("completed").is_some(), "{events:?}"),
        "in flight" => assert!(at("completed").is_none(), "{events:?}"),
        other => panic!("an end {other}"),
    }
}
