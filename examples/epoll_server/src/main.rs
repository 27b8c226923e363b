//! An echo server on one thread, with epoll.
//!
//! `cargo run --release -p epoll_server [ADDR] [SECONDS]`: how long it waits for a request, until it
//! asks whether a silent peer is still there, and for the answer. 30 if that is not said.

use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

use epoll_server::Server;
use sansocket::config::Timeouts;
use sansocket::{OriginPolicy, ServerConfig};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next();
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    let address = address.parse().map_err(io::Error::other)?;
    let seconds = arguments.next().map_or(Ok(30), |seconds| seconds.parse());
    let patience = Duration::from_secs(seconds.map_err(io::Error::other)?);
    let mut timeouts = Timeouts::default();
    timeouts.handshake = patience;
    timeouts.ping = Some(patience);
    timeouts.pong = Some(patience);
    let config = ServerConfig::new(OriginPolicy::SameHost).timeouts(timeouts);
    let mut server = Server::bind(address, config)?;
    println!("echo server: ws://{}/", server.local_addr()?);
    server.run()
}
