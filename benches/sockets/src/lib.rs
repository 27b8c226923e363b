//! What the servers have in common.

pub mod over_mio;
pub mod over_tokio;
pub mod room;
pub mod tls;

use std::net::{SocketAddr, TcpListener};

/// Listens on a free port of this machine, with a backlog as long as that of our server, and says
/// which.
pub fn listen() -> std::io::Result<TcpListener> {
    let listener = mio::net::TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    announce(listener.local_addr()?);
    Ok(listener.into())
}

pub fn announce(address: SocketAddr) {
    println!("port {}", address.port());
}
