//! What the attributes must not take, with errors that explain, and what they must.

use std::process::Command;

/// The compiler's own words change with its version; these were taken from this one.
const RUSTC: &str = "rustc 1.95.";

#[test]
fn what_must_not_compile_does_not() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("rustc runs");
    let version = String::from_utf8_lossy(&version.stdout);
    if !version.starts_with(RUSTC) {
        println!("skipped: the expected errors are those of {RUSTC}x, this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("compile_fail/*.rs");
}

#[test]
fn what_must_compile_does() {
    trybuild::TestCases::new().pass("compile_fail/accepted/*.rs");
}
