//! Why a row is not won, where that is known. Kept by hand, and shown only beside rows that are not won.

const REASONS: &[(&str, &str)] = &[
    ("file-reads", "the bare loop's own figure is the floor"),
    (
        "echo-1x",
        "one connection: both sides sleep between two messages, and what is measured is the kernel's wake",
    ),
    ("wake-threads", "two wakes by the kernel, which are the same for all"),
];

/// The reason for a row.
pub fn reason(row: &str) -> &'static str {
    let found = REASONS.iter().find(|(name, _)| row.starts_with(name));
    found.map_or("not explained yet", |(_, reason)| reason)
}
