//! Any bytes as a file that `wsinspect` reads: see `crates/inspect/tests/oracle`.
#![no_main]

#[path = "../../crates/inspect/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::any_bytes_as_a_file(bytes));
