//! The WebSocket protocol (RFC 6455) as a pure state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod config;
pub mod error;
pub mod extension;
#[allow(dead_code)] // until the connection drives it
pub mod handshake;

mod close_code;
mod payload;
mod role;
mod token;

pub use close_code::CloseCode;
pub use config::{ClientConfig, OriginPolicy, ServerConfig};
pub use error::{Failure, Misuse, Unsent};
pub use handshake::{Accept, ClientRequest, Request, Response, Uri};
pub use payload::{Payload, Text};
pub use role::Role;
