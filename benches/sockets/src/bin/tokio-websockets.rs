//! `tokio-websockets` on one thread of tokio, configured as its own benchmark's server.

use tokio::net::TcpStream;
use tokio_websockets::{Config, Error, Limits, ServerBuilder};

fn main() -> std::io::Result<()> {
    sockets::over_tokio::run(|stream| async {
        let _ = serve(stream).await; // an error: the peer has gone
    })
}

async fn serve(stream: TcpStream) -> Result<(), Error> {
    let (_request, ws) = ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX))
        .limits(Limits::unlimited())
        .accept(stream)
        .await?;
    sockets::over_tokio::echo(ws, |message| message.is_text() || message.is_binary()).await
}
