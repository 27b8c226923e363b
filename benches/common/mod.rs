//! What the benches share: streams of frames, the way they are read, and the floors: what the
//! least code that could do the work would take.
//!
//! Each bench binary uses a part of it.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each bench uses a part of it; it fails by a panic"
)]

pub mod floor;
pub mod traffic;
