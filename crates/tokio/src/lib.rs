#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod buffers;
#[cfg(feature = "client")]
mod connect;
mod driver;
mod error;
mod handshake;
#[cfg(feature = "hyper")]
mod http;
mod socket;
mod split;
mod wakers;

#[cfg(feature = "client")]
pub use connect::{Connector, MaybeTls, Sessions, connect};
pub use error::{Closed, Error};
pub use handshake::{Incoming, PING};
#[cfg(feature = "axum")]
pub use http::WebSocketUpgrade;
#[cfg(feature = "hyper")]
pub use http::{HttpStream, HttpUpgrade, NotUpgraded, Upgrading};
pub use socket::WebSocket;
pub use split::{Receiver, Sender};

#[cfg(feature = "rustls")]
pub use rustls;
pub use sansocket;
#[doc(no_inline)]
pub use sansocket::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Event, Message, Negotiated,
    OriginPolicy, Prepared, Response, ServerConfig, Uri,
};
