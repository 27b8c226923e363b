//! An echo server on one thread, with epoll.
//!
//! `cargo run --release -p epoll_server [ADDR]`

use std::time::Duration;
use std::{env, io};

use epoll_server::Server;
use sansocket::config::Timeouts;
use sansocket::{OriginPolicy, ServerConfig};

fn main() -> io::Result<()> {
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    let address = address.parse().map_err(io::Error::other)?;
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::from_secs(30));
    let config = ServerConfig::new(OriginPolicy::SameHost).timeouts(timeouts);
    let mut server = Server::bind(address, config)?;
    println!("echo server: ws://{}/", server.local_addr()?);
    server.run()
}
