//! Why a row is not won, where that is known. Kept by hand, and shown only beside rows that are not won.

const REASONS: &[(&str, &str)] = &[
    ("spawn-join", "glommio polls a new task inside the spawn; one that ends there never passes a queue"),
    (
        "timer-insert",
        "libuv's timers have no tasks; half of ours is the system's first touch of a task's 256 bytes",
    ),
    ("wake-threads", "two wakes by the kernel, which are the same for all"),
    ("file-reads", "the bare loop's own figure is the floor"),
    ("echo-open", "both sides sleep between two messages, and the largest waits are the machine's"),
    (
        "echo-1x",
        "one connection sleeps between two messages, and a ring's sleep costs the kernel more than epoll's: the bare \
         ring pays it too",
    ),
    ("echo-", "nearly all of it is system time, which is the same for all"),
    ("churn", "nearly all of it is system time, which is the same for all"),
];

/// The reason for a row.
pub fn reason(row: &str) -> &'static str {
    let found = REASONS.iter().find(|(name, _)| row.starts_with(name));
    found.map_or("not explained yet", |(_, reason)| reason)
}
