//! Longer texts: how to drive a connection, a conversation packet by packet, what is fast, what compression costs, how
//! the crate is built, and what was decided where the texts leave something open.

#[doc = include_str!("drivers.md")]
pub mod drivers {}

#[doc = include_str!("capture.md")]
#[doc = include_str!("capture.svg")]
pub mod capture {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("compression.md")]
pub mod compression {}

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("decisions.md")]
pub mod decisions {}
