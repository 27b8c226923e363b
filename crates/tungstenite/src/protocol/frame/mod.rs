//! Frames by themselves (RFC 6455 §5.2).

pub mod coding;
#[allow(clippy::module_inception, reason = "it holds the type of that name")]
mod frame;
mod socket;
mod utf8;

pub use frame::{CloseFrame, Frame, FrameHeader};
pub use socket::FrameSocket;
pub use utf8::Utf8Bytes;
