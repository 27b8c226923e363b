//! The WebSocket protocol (RFC 6455) as a pure state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod backoff;
pub mod challenge;
pub mod config;
pub mod error;
pub mod extension;
pub mod gate;
pub mod handshake;
pub mod proxy;
#[cfg(feature = "redirect")]
pub mod redirect;

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
