//! What the servers have in common.

pub mod over_mio;
pub mod over_tokio;
pub mod room;
pub mod tls;

use std::net::{SocketAddr, TcpListener};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use slab::Slab;

/// Listens on a free port of this machine, with a backlog as long as that of our server, and says
/// which.
pub fn listen() -> std::io::Result<TcpListener> {
    let listener = mio::net::TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    announce(listener.local_addr()?);
    Ok(listener.into())
}

/// Takes all who wait, each registered under its key.
pub fn accept<T>(
    listener: &mio::net::TcpListener,
    registry: &Registry,
    clients: &mut Slab<T>,
    client: impl Fn(TcpStream) -> T,
) -> std::io::Result<()> {
    while let Ok((mut stream, _)) = listener.accept() {
        stream.set_nodelay(true)?;
        let entry = clients.vacant_entry();
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, Token(entry.key()), both)?;
        entry.insert(client(stream));
    }
    Ok(())
}

pub fn announce(address: SocketAddr) {
    println!("port {}", address.port());
}
