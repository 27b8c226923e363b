#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "connect")]
mod connect;
#[cfg(feature = "handshake")]
mod handshake;
mod io;
mod socket;
#[cfg(feature = "stream")]
mod stream;
#[cfg(any(feature = "connect", feature = "native-tls", feature = "__rustls-tls"))]
mod tls;

pub use tungstenite;
#[cfg(any(feature = "connect", feature = "native-tls", feature = "__rustls-tls"))]
pub use tungstenite::Connector;

#[cfg(all(
    feature = "connect",
    any(feature = "native-tls", feature = "__rustls-tls")
))]
pub use connect::connect_async_tls_with_config;
#[cfg(feature = "connect")]
pub use connect::{connect_async, connect_async_with_config};
#[cfg(feature = "handshake")]
pub use handshake::{
    accept_async, accept_async_with_config, accept_hdr_async, accept_hdr_async_with_config,
    client_async, client_async_with_config,
};
pub use socket::WebSocketStream;
#[cfg(feature = "stream")]
pub use stream::MaybeTlsStream;
#[cfg(any(feature = "native-tls", feature = "__rustls-tls"))]
pub use tls::{client_async_tls, client_async_tls_with_config};
