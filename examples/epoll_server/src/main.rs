//! An echo server on one thread, with epoll.
//!
//! `cargo run --release -p epoll_server [ADDR [SECONDS [CONNECTIONS]]]`, then open <http://127.0.0.1:9001/>.
//!
//! - A peer may take 30 s (SECONDS) to send its request and to answer a ping.
//! - 1,000 (CONNECTIONS) are served at once, as most systems let a process have 1,024 descriptors; 2.5 GB of memory
//!   are needed if all of them send and do not read. Others wait in the listen queue until one of them ends.
//! - SIGTERM and Ctrl-C end it in order: each client is told 1001, for no longer than 10 s.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use epoll_server::{Server, log};
use sansocket::config::Timeouts;
use sansocket::{OriginPolicy, ServerConfig};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log("error", error);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let seconds = args.next().map_or(Ok(30), |seconds| seconds.parse())?;
    let connections = args.next().map_or(Ok(1000), |number| number.parse())?;
    let patience = Duration::from_secs(seconds);
    let mut timeouts = Timeouts::default();
    timeouts.handshake = patience;
    timeouts.ping = Some(patience);
    timeouts.pong = Some(patience);
    let config = ServerConfig::new(OriginPolicy::SameHost)
        .timeouts(timeouts)
        .serve_http();
    let mut server = Server::bind(address.parse()?, config, connections)?;
    server.stop_at_signals()?;
    let address = server.local_addr()?;
    println!("echo server: http://{address}/ (WebSocket at any path)");
    Ok(server.run()?)
}
