//! Any calls through the C interface: see `crates/capi/tests/oracle.rs`.
#![no_main]

#[path = "../../crates/capi/tests/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::same_calls_same_results(bytes));
