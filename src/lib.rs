// Here the links of the README lead to this documentation, elsewhere to the one on docs.rs.
//! [architecture]: manual::architecture
//! [compression]: manual::compression
//! [decisions]: manual::decisions
//! [drivers]: manual::drivers
//! [performance]: manual::performance
//!
#![cfg_attr(feature = "alloc", doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::too_many_lines))]
#![cfg_attr(
    not(feature = "alloc"),
    allow(dead_code, unused_imports, reason = "what only a `Connection` asks")
)]

#[cfg(any(test, feature = "alloc"))]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "client")]
pub mod client;
pub mod config;
#[cfg(feature = "alloc")]
mod connection;
pub mod entropy;
pub mod error;
#[cfg(feature = "alloc")]
pub mod event;
pub mod extension;
pub mod fixed;
pub mod frame;
#[cfg(feature = "handover")]
pub mod handover;
pub mod handshake;
#[cfg(feature = "alloc")]
pub mod manual;
pub mod mask;
#[cfg(feature = "observer")]
pub mod observer;
#[cfg(feature = "alloc")]
mod output;
#[cfg(feature = "replay")]
pub mod replay;
pub mod utf8;
#[cfg(feature = "webapi")]
pub mod webapi;

mod clock;
mod close_code;
mod decimal;
mod life;
#[cfg(feature = "alloc")]
mod payload;
mod role;
mod token;
#[cfg(any(feature = "handover", feature = "replay"))]
mod wire;

pub use close_code::CloseCode;
pub use life::{Side, State, Transport};
pub use role::Role;
#[cfg(feature = "alloc")]
pub use {
    config::admission::OriginPolicy,
    config::endpoint::{ClientConfig, ServerConfig},
    connection::{Connection, Event, Outgoing, Part, Prepared},
    event::message::{Kind, Message},
    handshake::accept::Accept,
    handshake::client::ClientRequest,
    handshake::negotiated::Negotiated,
    handshake::response::Response,
    handshake::uri::Uri,
};
