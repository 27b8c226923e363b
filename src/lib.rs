// Here the links of the README lead to this documentation, elsewhere to the one on docs.rs.
//! [architecture]: manual::architecture
//! [compression]: manual::compression
//! [decisions]: manual::decisions
//! [drivers]: manual::drivers
//! [performance]: manual::performance
//!
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::too_many_lines))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "client")]
pub mod client;
pub mod config;
mod connection;
pub mod entropy;
pub mod error;
pub mod event;
pub mod extension;
pub mod frame;
#[cfg(feature = "handover")]
pub mod handover;
pub mod handshake;
pub mod manual;
pub mod mask;
#[cfg(feature = "observer")]
pub mod observer;
mod output;
#[cfg(feature = "replay")]
pub mod replay;
pub mod utf8;
#[cfg(feature = "webapi")]
pub mod webapi;

mod close_code;
mod decimal;
mod payload;
mod role;
mod token;
#[cfg(any(feature = "handover", feature = "replay"))]
mod wire;

pub use close_code::CloseCode;
pub use config::admission::OriginPolicy;
pub use config::endpoint::{ClientConfig, ServerConfig};
pub use connection::{Connection, Event, Outgoing, Part, Prepared, State, Transport};
pub use event::message::{Kind, Message};
pub use handshake::accept::Accept;
pub use handshake::client::ClientRequest;
pub use handshake::negotiated::Negotiated;
pub use handshake::response::Response;
pub use handshake::uri::Uri;
pub use role::Role;
