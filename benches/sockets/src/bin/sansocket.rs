//! The server of `examples/epoll_server`, as it is; with `deflate` it agrees to compression.

use std::env;
use std::io;
use std::time::Duration;

use epoll_server::Server;
use sansocket::config::Timeouts;
use sansocket::extension::PermessageDeflate;
use sansocket::{OriginPolicy, ServerConfig};

/// Above what is measured.
const CAPACITY: usize = 100_000;

fn main() -> io::Result<()> {
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::from_secs(30));
    let mut config = ServerConfig::new(OriginPolicy::SameHost).timeouts(timeouts);
    if env::args().nth(1).is_some_and(|arg| arg == "deflate") {
        config = config.deflate(PermessageDeflate::server());
    }
    let mut server = Server::bind(([127, 0, 0, 1], 0).into(), config, CAPACITY)?;
    sockets::announce(server.local_addr()?);
    server.run()
}
