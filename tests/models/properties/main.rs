//! What holds for any input: the promises of the crate, tried with random bytes, cuts, calls,
//! delays and losses, and the security holes of other libraries, one by one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "a test fails by a panic, says with which input, and calls some of the oracles"
)]

extern crate alloc; // of what the unit tests use too

#[path = "../oracles/mod.rs"]
mod oracle;
#[path = "../support/mod.rs"]
mod support;

mod fixed;
mod random;
mod secrets;
mod security;
