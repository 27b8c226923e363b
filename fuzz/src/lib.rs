//! The oracles of the property tests, for the fuzz targets.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "an oracle fails by a panic, and each target calls one"
)]

extern crate alloc; // of what the unit tests use too

#[path = "../../tests/models/oracles/mod.rs"]
pub mod oracle;

pub mod differential;

#[path = "../../crates/tcp-streams/tests/oracle/mod.rs"]
pub mod tcp;
