//! The rules by topic: each test names the row of the requirements that it holds and its section.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

#[path = "../../models/support/mod.rs"]
mod support;

mod answering;
mod bad_heads;
mod bindings;
mod budgets;
mod closing_handshake;
mod codec;
#[cfg(feature = "deflate")]
mod compression;
mod control_frames;
mod deadlines;
mod delivery;
mod error_ids;
mod failing;
#[cfg(feature = "handover")]
mod handover;
#[cfg(all(feature = "deflate", feature = "handover"))]
mod handover_compressed;
#[cfg(feature = "handover")]
mod handover_queue;
mod layering;
mod limits;
mod memory;
mod message_extension;
mod opening_handshake;
mod output;
mod responding;
mod sending;
mod states;
mod texts;
mod through;
mod time;
mod upgraded;
mod vectors;
mod write_lost;
