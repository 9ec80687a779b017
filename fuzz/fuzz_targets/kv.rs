//! `cargo +nightly fuzz run kv -- -dict=fuzz/kv.dict`
#![no_main]

#[path = "../kv_body.rs"]
mod kv_body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| kv_body::run(data));
