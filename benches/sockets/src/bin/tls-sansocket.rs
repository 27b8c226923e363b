//! `sansocket-tokio` over rustls.

use std::error::Error;

use sansocket_tokio::{Accept, OriginPolicy, ServerConfig, WebSocket};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

fn main() -> Result<(), Box<dyn Error>> {
    sockets::tls::run(serve)
}

async fn serve(stream: TlsStream<TcpStream>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = ServerConfig::new(OriginPolicy::SameHost);
    let incoming = WebSocket::server(stream, &config).await?;
    let mut ws = incoming.accept(Accept::new()).await?;
    while let Some(message) = ws.recv().await {
        ws.feed(message?).await?; // it leaves when no more have come
    }
    Ok(())
}
