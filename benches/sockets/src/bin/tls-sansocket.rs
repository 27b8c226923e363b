//! `sansocket-tokio` over rustls.

use std::env;
use std::error::Error;

use sansocket_tokio::{Accept, OriginPolicy, ServerConfig, WebSocket};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args()
        .nth(1)
        .ok_or("where to leave the certificate?")?;
    let acceptor = TlsAcceptor::from(sockets::tls::server(&file)?);
    sockets::over_tokio::run(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let _ = serve(acceptor, stream).await; // an error: the peer has gone
        }
    })?;
    Ok(())
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stream = acceptor.accept(stream).await?;
    let config = ServerConfig::new(OriginPolicy::SameHost);
    let incoming = WebSocket::server(stream, &config).await?;
    let mut ws = incoming.accept(Accept::new()).await?;
    while let Some(message) = ws.recv().await {
        ws.feed(message?).await?; // it leaves when no more have come
    }
    Ok(())
}
