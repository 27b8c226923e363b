//! Longer texts: how to drive a connection, and how the crate is built. Documentation only.

#[doc = include_str!("drivers.md")]
pub mod drivers {}

#[doc = include_str!("compression.md")]
pub mod compression {}

#[doc = include_str!("architecture.md")]
pub mod architecture {}
