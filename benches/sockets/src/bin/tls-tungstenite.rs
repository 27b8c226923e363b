//! `tokio-tungstenite` over rustls.

use std::env;
use std::error::Error;
use std::io;

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

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<()> {
    let stream = acceptor.accept(stream).await?;
    let ws = tokio_tungstenite::accept_async(stream).await;
    let ws = ws.map_err(io::Error::other)?;
    let echo = sockets::over_tokio::echo(ws, |message| message.is_text() || message.is_binary());
    echo.await.map_err(io::Error::other)
}
