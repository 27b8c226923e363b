#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod connect;
mod error;
mod handshake;
mod socket;
mod split;
mod stream;

pub use connect::{Connector, Sessions, connect};
pub use error::{Closed, Error};
pub use handshake::{Incoming, PING};
pub use socket::{Messages, WebSocket};
pub use split::{Receiver, Sender};
pub use stream::{MaybeTls, OverTcp, Stream};

#[cfg(feature = "rustls")]
pub use rustls;
pub use sansocket;
#[doc(no_inline)]
pub use sansocket::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Event, Message, Negotiated,
    OriginPolicy, Prepared, Response, ServerConfig, Uri,
};
