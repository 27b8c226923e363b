#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![allow(
    clippy::result_large_err,
    reason = "the type of an interrupted handshake is tungstenite's"
)]

pub mod buffer;
#[cfg(feature = "handshake")]
pub mod client;
pub mod error;
#[cfg(feature = "handshake")]
pub mod handshake;
mod masks;
pub mod protocol;
#[cfg(feature = "handshake")]
mod server;
pub mod stream;
#[cfg(feature = "handshake")]
mod tls;
pub mod util;

pub use bytes::Bytes;
#[cfg(feature = "handshake")]
pub use http;

#[cfg(feature = "handshake")]
pub use client::{ClientRequestBuilder, client, connect};
pub use error::{Error, Result};
#[cfg(feature = "handshake")]
pub use handshake::{HandshakeError, client::ClientHandshake, server::ServerHandshake};
pub use protocol::{Message, WebSocket, frame::Utf8Bytes};
#[cfg(feature = "handshake")]
pub use server::{accept, accept_hdr, accept_hdr_with_config, accept_with_config};
#[cfg(feature = "handshake")]
pub use tls::{Connector, client_tls, client_tls_with_config};
