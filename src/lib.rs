// Here the links of the README lead to this documentation, elsewhere to the one on docs.rs.
//! [architecture]: manual::architecture
//! [compression]: manual::compression
//! [decisions]: manual::decisions
//! [drivers]: manual::drivers
//!
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "client")]
pub mod client;
pub mod config;
mod connection;
pub mod entropy;
pub mod error;
mod event;
pub mod extension;
pub mod frame;
pub mod handshake;
pub mod manual;
pub mod mask;
mod output;
pub mod utf8;
#[cfg(feature = "webapi")]
pub mod webapi;

mod close_code;
mod decimal;
mod payload;
mod role;
mod token;

pub use close_code::CloseCode;
pub use config::{ClientConfig, OriginPolicy, ServerConfig};
pub use connection::{Compress, Connection, Outgoing, Part, Prepared, State, Transport};
pub use entropy::Entropy;
pub use error::{Failure, Unsent};
pub use event::{Chunk, CloseFrame, CloseReport, Event, Kind, Message, MessageHead, Pong, Side};
pub use handshake::{
    Accept, AcceptedHead, ClientRequest, Headers, Negotiated, Refusal, Request, Response, Uri,
};
pub use payload::{Payload, Text};
pub use role::Role;
