//! Why a row is not won, where that is known. Kept by hand, and shown only beside rows that are not won.

const REASONS: &[(&str, &str)] = &[
    ("spawn-join", "glommio polls a new task inside the spawn; one that ends there never passes a queue"),
    ("timer-insert", "libuv's timers have no tasks"),
    ("wake-threads", "two wakes by the kernel, which are the same for all"),
    ("file-reads", "the bare loop's own figure is the floor"),
    ("echo-open", "a percentile is the machine's as much as the server's: see the spread"),
    (
        "echo-1x",
        "one connection: both sides sleep between two messages, and the kernel's wake is nearly all of it",
    ),
    ("echo-", "nearly all of it is system time, which is the same for all"),
    ("churn", "nearly all of it is system time, which is the same for all"),
    (
        "idle",
        "the block of a task and the table's entry of a connection, which has a slot for an armed read too",
    ),
];

/// The reason for a row.
pub fn reason(row: &str) -> &'static str {
    let found = REASONS.iter().find(|(name, _)| row.starts_with(name));
    found.map_or("not explained yet", |(_, reason)| reason)
}
