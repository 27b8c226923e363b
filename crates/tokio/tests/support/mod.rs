//! What several tests need.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use sansocket_tokio::sansocket::config::Timeouts;
use sansocket_tokio::{
    Accept, ClientConfig, ClientRequest, OriginPolicy, ServerConfig, Uri, WebSocket,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};

pub fn server_config() -> ServerConfig {
    ServerConfig::new(OriginPolicy::SameHost)
}

pub fn request(path: &str) -> ClientRequest {
    ClientRequest::new(Uri::parse(&format!("ws://localhost{path}")).unwrap())
}

/// A server's end that has accepted.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    io: S,
    config: &ServerConfig,
) -> WebSocket<S> {
    let incoming = WebSocket::server(io, config).await.unwrap();
    incoming.accept(Accept::new()).await.unwrap()
}

/// A client's and a server's end of a pipe that holds so many bytes.
pub async fn pair_with(
    pipe: usize,
    client: &ClientConfig,
    server: &ServerConfig,
) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = duplex(pipe);
    let (a, b) = tokio::join!(
        WebSocket::client(a, client, request("/")),
        accept(b, server)
    );
    (a.unwrap(), b)
}

pub async fn pair() -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    pair_with(64 << 10, &ClientConfig::new(), &server_config()).await
}

/// Neither pings nor any other deadline but those of the handshakes.
pub fn quiet() -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(std::time::Duration::MAX);
    timeouts
}
