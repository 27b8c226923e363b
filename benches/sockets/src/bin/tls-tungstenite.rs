//! `tokio-tungstenite` over rustls.

use std::error::Error;
use std::io;

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

fn main() -> Result<(), Box<dyn Error>> {
    sockets::tls::run(serve)
}

async fn serve(stream: TlsStream<TcpStream>) -> io::Result<()> {
    let ws = tokio_tungstenite::accept_async(stream).await;
    let ws = ws.map_err(io::Error::other)?;
    let echo = sockets::over_tokio::echo(ws, |message| message.is_text() || message.is_binary());
    echo.await.map_err(io::Error::other)
}
