//! The server of `examples/epoll_server`, as it is.

use std::io;
use std::time::Duration;

use epoll_server::Server;
use sansocket::config::Timeouts;
use sansocket::{OriginPolicy, ServerConfig};

/// Above what is measured.
const CAPACITY: usize = 100_000;

fn main() -> io::Result<()> {
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::from_secs(30));
    let config = ServerConfig::new(OriginPolicy::SameHost).timeouts(timeouts);
    let mut server = Server::bind(([127, 0, 0, 1], 0).into(), config, CAPACITY)?;
    sockets::announce(server.local_addr()?);
    server.run()
}
